"""An application with streaming: `uvicorn fastapi_app:app`. Needs fastapi and uvicorn.

One client for all requests; each tenant has a budget, and a caller who goes away ends the call. With several workers
give the client files instead of memory, and they share order, limits, budgets and cache:
`CostTracker(url="sqlite:///costs.db")`, `RequestQueue("sqlite:///requests.db")`, `SemanticCache(url="sqlite:///cache.db")`.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import headrace
from fastapi import FastAPI, Header, HTTPException
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

MODEL = "simulated/esg"


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with headrace.Client([headrace.providers.Simulated(seed=1)]) as client:
        client.costs.set_budget("5.00", tenant="*", period="day")
        app.state.client = client
        yield


app = FastAPI(lifespan=lifespan)


class Question(BaseModel):
    text: str


@app.post("/ask")
async def ask(question: Question, tenant: str = Header("default")) -> dict[str, str | None]:
    try:
        reply = await app.state.client.achat(MODEL, question.text, tenant=tenant, priority="high", timeout=30)
    except headrace.BudgetExceeded as refused:
        raise HTTPException(402, str(refused)) from None
    except headrace.QueueFull:
        raise HTTPException(429, "too many requests are waiting", {"retry-after": "5"}) from None
    except headrace.ProviderError as failed:
        raise HTTPException(502, str(failed)) from None
    return {"answer": reply.text, "cache": reply.cache, "cost_usd": str(reply.cost)}


@app.post("/stream")
async def stream(question: Question, tenant: str = Header("default")) -> StreamingResponse:
    try:
        # What fails before the first word is raised here, where a status can still be sent.
        words = await app.state.client.astream(MODEL, question.text, tenant=tenant, priority="critical")
    except headrace.HeadraceError as failed:
        raise HTTPException(502, str(failed)) from None

    async def pieces() -> AsyncIterator[str]:
        try:
            async for chunk in words:
                yield chunk.text
        finally:
            await words.aclose()

    return StreamingResponse(pieces(), media_type="text/plain")
