"""A user's file that touches all of the cost tracker and the client. It is checked by mypy and pyright, and never run."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Literal

import headrace
from headrace import (
    AuthenticationError,
    BudgetExceeded,
    Client,
    ConfigError,
    ContextLengthExceeded,
    CostRecord,
    CostTracker,
    HeadraceError,
    PriceTable,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
    Response,
    SemanticCache,
    UnknownModel,
    Usage,
    langchain,
    llamaindex,
    plots,
    providers,
)
from headrace.client import ChatStream, Chunk, ToolCall
from headrace.cost import Alert, AsyncReservation, BudgetStatus, CostLine, Estimate, SummaryRow, TrackerStats
from headrace.providers import (
    Anthropic,
    DeepSeek,
    HttpProvider,
    KnownProvider,
    Mistral,
    OpenAI,
    OpenAICompatible,
    Simulated,
    SimulatedServer,
)
from typing_extensions import assert_type

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)


def warn(alert: Alert) -> None:
    print(alert["fraction"])


def account() -> Decimal:
    prices = PriceTable.builtin()
    prices.set("local/model", input=Decimal("0.1"), output=Decimal("0.2"))
    print(prices.get("openai/gpt-4o", at=NOW), prices.info("openai/gpt-4o"), len(prices.models()), PriceTable.empty())
    print(PriceTable.load("prices.json"))
    costs = CostTracker(prices=prices, fallback="estimate", url="memory://", retention=timedelta(days=400))
    usage = Usage(input_tokens=1000, output_tokens=200, cached_input_tokens=100)
    print(Usage.from_response({"usage": {}}), Usage.estimate("openai/gpt-4o", "a question", max_output_tokens=10))
    print(usage.input_tokens, usage.output_tokens, usage.cached_input_tokens, usage.cache_write_tokens, usage.to_dict())
    print(usage.cache_write_1h_tokens, usage.reasoning_tokens, usage.input_audio_tokens, usage.output_audio_tokens)
    print(usage.input_image_tokens, usage.output_image_tokens, usage.images, usage.searches, usage.requests)
    print(usage.service_tier, usage.total_tokens)
    record = costs.record("openai/gpt-4o", usage, tenant="audit", tags=["project=csrd"], at=NOW)
    assert_type(record, CostRecord)
    assert_type(record.cost, Decimal)
    lines: list[CostLine] = record.lines
    energy: Estimate | None = record.energy_wh
    print(
        record.id, record.time, record.provider, record.model, record.tenant, record.tags, record.usage, lines, energy
    )
    print(record.told_cost, record.saved, record.estimated, record.price_version, record.zone, record.cache)
    print(record.latency, record.attempts, record.co2e_g, record.co2e_embodied_g, record.water_l, record.avoided_co2e_g)
    print(record.to_dict(), record.keys(), record["cost"])
    costs.set_budget("5.00", tenant="*", period="day", on_exceed="reject", alerts=warn)
    with costs.reserve("openai/gpt-4o", usage, tenant="audit") as held:
        held.settle(usage)
    budgets: list[BudgetStatus] = costs.budgets()
    rows: list[SummaryRow] = costs.summary(by=("provider", "model"), since=NOW, bucket="day")
    stats: TrackerStats = costs.stats()
    print(
        budgets, rows, stats["waiting"], costs.quote("openai/gpt-4o", usage), costs.cheapest(["openai/gpt-4o"], usage)
    )
    print(costs.records(tenant="audit"), costs.report(by="tenant"), costs.purge(NOW), costs.flush(timeout=1))
    costs.remove_budget(tenant="*")
    costs.set_emission_factors(zone="DEU", co2e_g_per_kwh=380.0)
    print(costs.to_arrow(), costs.to_pandas(), costs.to_polars(), costs.to_csv("c.csv"), costs.export_focus("f.csv"))
    return costs.total


def draw(client: Client, pairs: list[tuple[str, str, bool]]) -> None:
    costs = client.costs
    for ax in (
        plots.spend(costs, by="tenant", bucket="week", since=NOW, until=NOW, timezone="Europe/Berlin"),
        plots.saved(costs, bucket="month"),
        plots.carbon(costs, by="provider"),
        plots.latency(client),
        plots.latency(client.metrics()),
        plots.latency(costs),
        plots.queue(client.queue),
        plots.answered(client.cache),
        plots.hits(pairs, embedder=None, guards=None),
    ):
        ax.set_title("Mine")
    plots.spend(costs, ax=plots.spend(costs))


async def account_with_asyncio(costs: CostTracker) -> None:
    usage = Usage(1, 1)
    record = await costs.arecord("openai/gpt-4o", usage)
    assert_type(record, CostRecord)
    held: AsyncReservation = costs.areserve("openai/gpt-4o", usage)
    async with held as reserved:
        await reserved.asettle(usage)
    await costs.aset_budget(1, period="month")
    print(await costs.abudgets(), await costs.asummary("model"), await costs.arecords(), await costs.atotal())
    await costs.aremove_budget()
    print(
        await costs.apurge(NOW), await costs.aflush(), await costs.ato_csv("c.csv"), await costs.aexport_focus("f.csv")
    )


def with_langchain(client: Client) -> str:
    model = langchain.chat_model(client, "openai/gpt-4o-mini", temperature=0)
    model.cache = langchain.AnswerCache(client.cache)
    return str(model.invoke("Which scope is travel?").content)


def with_llamaindex(client: Client) -> str:
    llm = llamaindex.ClientLLM(client, "openai/gpt-4o-mini", temperature=0)
    return str(llm.complete("Which scope is travel?").text)


def make() -> list[HttpProvider | Simulated]:
    own = OpenAICompatible("http://127.0.0.1:8000/v1", name="local", headers={"x-team": "esg"})
    rows: list[KnownProvider] = list(providers.known())
    made: list[HttpProvider | Simulated] = [
        OpenAI("sk-..."),
        DeepSeek("k"),
        Mistral("k"),
        Anthropic("k"),
        own,
        Simulated(),
    ]
    made.append(providers.named("groq", "k"))
    print(rows[0].name, own.name, own.base_url)
    with SimulatedServer() as server:
        print(server.url, server.requests)
    return [*made, *providers.from_environment()]


def ask(tools: list[dict[str, Any]]) -> None:
    def told(outcome: Response | BaseException) -> None:
        print(outcome)

    with Client(make(), cache=SemanticCache(), costs=CostTracker(), fallbacks={"a/b": ["c/d"]}, on_call=told) as client:
        try:
            response = client.chat("openai/gpt-4o-mini", "What is scope 3?", priority="high", timeout=30, tools=tools)
        except (RateLimited, AuthenticationError, ProviderUnavailable, ContextLengthExceeded, ProviderError) as failed:
            print(failed.status_code, failed.retry_after, failed.request_id, failed.is_retryable)
            return
        except (BudgetExceeded, UnknownModel, ConfigError, HeadraceError) as refused:
            print(refused)
            return
        assert_type(response, Response)
        assert_type(response.text, str)
        assert_type(response.cost, Decimal)
        assert_type(response.cache, Literal["exact", "semantic"] | None)
        calls: list[ToolCall] = response.tool_calls
        print([(call.id, call.name, call.arguments, call.parse(), call.to_dict()) for call in calls])
        print(response.texts, response.reasoning, response.refusal, response.finish_reason, response.parsed)
        print(response.usage, response.saved_cost, response.estimated, response.similarity, response.provider)
        print(response.model, response.attempts, response.waited, response.raw, response.message, response.to_dict())
        print(response.keys(), response["text"])
        stream = client.stream("openai/gpt-4o-mini", [{"role": "user", "content": "And scope 2?"}])
        assert_type(stream, ChatStream)
        for chunk in stream:
            assert_type(chunk, Chunk)
            print(chunk.text, chunk.reasoning, chunk.tool_call, chunk.arguments, chunk.choice, chunk.finish_reason)
        print(stream.response, client.embed("openai/text-embedding-3-small", ["a"]).shape)
        answers = client.map(["one", "two"], model="openai/gpt-4o-mini", concurrency=4)
        print([answer.text for answer in answers], client.models, client.routes, client.concurrency, client.health())
        print(client.queue.stats(), client.costs.total, client.cache.stats())
        client.close()


async def ask_with_asyncio() -> AsyncIterator[str]:
    async with Client([Simulated(seed=1)]) as client:
        response = await client.achat("simulated/esg", "What is scope 1?", tags=["csrd"])
        assert_type(response, Response)
        stream = await client.astream("simulated/esg", "What is scope 1?")
        async for chunk in stream:
            yield chunk.text
        await stream.aclose()
        print(await client.aembed("simulated/embedding", ["a"]), await client.amap(["a"], model="simulated/esg"))
        await client.aclose()


print(headrace.__version__)
