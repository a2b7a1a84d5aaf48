"""The application of the examples: plain, streamed, over budget, and a caller that goes away."""

import sys
from pathlib import Path

import headrace
import pytest

pytest.importorskip("fastapi", reason="fastapi is not installed: pip install 'headrace[test]'")
httpx = pytest.importorskip("httpx")
sys.path.insert(0, str(Path(__file__).parent.parent / "examples"))
import anyio  # noqa: E402
import fastapi_app  # noqa: E402


def served(talk):
    """Run a conversation with the application, inside its life."""

    async def main():
        async with fastapi_app.app.router.lifespan_context(fastapi_app.app):
            transport = httpx.ASGITransport(app=fastapi_app.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://app") as http:
                await talk(http)

    anyio.run(main)


def test_it_answers_and_answers_again_from_the_cache():
    async def talk(http):
        first = (await http.post("/ask", json={"text": "What is scope 1?"})).json()
        again = (await http.post("/ask", json={"text": "What is scope 1?"})).json()
        assert (first["cache"], again["cache"]) == (None, "exact")
        assert first["answer"] == again["answer"]

    served(talk)


def test_it_streams():
    async def talk(http):
        async with http.stream("POST", "/stream", json={"text": "What is scope 2?"}) as reply:
            text = "".join([piece async for piece in reply.aiter_text()])
        assert reply.status_code == 200
        assert "scope 2" in text

    served(talk)


def test_a_tenant_without_money_is_told_so_and_another_is_not():
    async def talk(http):
        fastapi_app.app.state.client.costs.set_budget("0.0000001", tenant="poor", period="day")
        refused = await http.post("/ask", json={"text": "What is scope 3?"}, headers={"tenant": "poor"})
        assert (refused.status_code, "budget" in refused.json()["detail"]) == (402, True)
        assert (await http.post("/ask", json={"text": "What is scope 3?"})).status_code == 200

    served(talk)


def test_it_says_what_it_cannot_take():
    async def talk(http):
        assert (await http.post("/ask", json={"question": "?"})).status_code == 422

    served(talk)
    assert issubclass(headrace.QueueFull, headrace.HeadraceError)
