"""A user's file that touches frames, metrics and telemetry. It is checked by mypy and pyright, and never run."""

from decimal import Decimal
from typing import Any

import headrace
from headrace import Client, MapEstimate
from headrace.metrics import CallMetrics, Metrics
from headrace.queue import DurationSummary
from headrace.telemetry import Telemetry, opentelemetry
from typing_extensions import assert_type


def classify(frame: Any, client: Client) -> Any:
    estimate: MapEstimate = headrace.map(
        frame, "Classify: {text}", model="openai/gpt-4o-mini", client=client, dry_run=True
    )
    assert_type(estimate.cost, Decimal)
    print(estimate.rows, estimate.distinct, estimate.hits, estimate.cost_low, estimate.cost_high, estimate.seconds)
    print(estimate.to_dict())
    return headrace.map(frame, "Classify: {text}", model="openai/gpt-4o-mini", budget="5.00", run="q3.db")


async def classify_with_asyncio(frame: Any, client: Client) -> Any:
    return await headrace.amap(frame, "Classify: {text}", model="openai/gpt-4o-mini", client=client, temperature=0)


def watch(client: Client) -> None:
    metrics: Metrics = client.metrics()
    for call in metrics.calls:
        assert_type(call, CallMetrics)
        took: DurationSummary = call.duration
        print(call.operation, call.provider, call.model, call.cache, call.error, call.calls, call.attempts, took["p95"])
    print(metrics.in_flight, metrics.failures, metrics.providers, metrics.queue, metrics.cache)
    print(metrics.to_prometheus(), metrics.to_dict(), Metrics.of)
    telemetry: Telemetry = opentelemetry(client)
    print(telemetry.lost, headrace.telemetry.opentelemetry)
    telemetry.close()


async def watch_with_asyncio(client: Client) -> None:
    assert_type(await client.ametrics(), Metrics)
