"""Each endpoint of an OpenAI-compatible server: plain and streamed, small and large, malformed, with wrong keys."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from headrace.loadgen import Arrivals, Target, open_loop
from headrace.loadtest.runs import take
from headrace.loadtest.scenario import Scenario
from headrace.workload import ESG

KEY = "key-of-the-load-suite"


class Api:
    """Requests as they go over the wire, so that no client library repairs them."""

    def __init__(self, url: str, key: str | None) -> None:
        self.url, self.key = url.rstrip("/"), key

    def ask(
        self, path: str, body: Any = None, *, raw: bytes | None = None, key: str | None = None
    ) -> tuple[int, bytes]:
        """Status and body of a reply; 0 where there is none."""
        sent = raw if raw is not None else None if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json"}
        if key or self.key:
            headers["authorization"] = f"Bearer {key or self.key}"
        request = urllib.request.Request(self.url + path, data=sent, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=20) as reply:
                return reply.status, reply.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()
        except OSError:
            return 0, b""

    def json(self, path: str, body: Any = None) -> Any:
        """The reply to a request that must succeed; an empty object where it does not."""
        status, text = self.ask(path, body)
        return json.loads(text) if status == 200 else {}


def checks(api: Api, model: str) -> Iterator[tuple[str, bool]]:
    """What must hold of the answers, by name."""
    question = [{"role": "user", "content": "What are scope 1 emissions?"}]
    models = [row["id"] for row in api.json("/models").get("data", [])]
    yield "models lists the model", not models or model in models
    chat = {"model": model, "messages": question}
    plain = api.json("/chat/completions", chat)
    yield "chat answers", bool(plain and plain["choices"][0]["message"]["content"])
    yield "chat counts tokens", bool(plain and plain["usage"]["prompt_tokens"] and plain["usage"]["completion_tokens"])
    status, stream = api.ask("/chat/completions", {**chat, "stream": True})
    events = [line[6:] for line in stream.decode().splitlines() if line.startswith("data: ")]
    yield "a stream ends with [DONE]", status == 200 and events[-1:] == ["[DONE]"]
    pieces = [json.loads(event)["choices"] for event in events[:-1]]
    yield "a stream has text", bool("".join(c[0]["delta"].get("content") or "" for c in pieces if c))
    for size in (1, 10_000, 200_000):
        sized = {**chat, "messages": [{"role": "user", "content": "s" * size}], "max_tokens": 16}
        yield f"{size} characters", api.ask("/chat/completions", sized)[0] == 200
    embedder = next((name for name in models if "embed" in name), None)
    if embedder:
        rows = api.json("/embeddings", {"model": embedder, "input": ["scope 1", "scope 2"]}).get("data", [])
        yield "an embedding for each text", [row["index"] for row in rows] == [0, 1] and bool(rows[0]["embedding"])
        yield "no embedding for nothing", 400 <= api.ask("/embeddings", {"model": embedder, "input": []})[0] < 500
    bad = {
        "no JSON": b"{not json",
        "a list": b"[]",
        "no messages": json.dumps({"model": model, "messages": []}).encode(),
        "a hot temperature": json.dumps({**chat, "temperature": "hot"}).encode(),
        "an unknown model": json.dumps({**chat, "model": "no-such-model"}).encode(),
    }
    for name, raw in bad.items():
        status, text = api.ask("/chat/completions", raw=raw)
        yield f"{name} is refused, and said why", 400 <= status < 500 and b"error" in text
    yield "an unknown path", api.ask("/no-such-path")[0] in (404, 405)
    if api.key:
        yield "a wrong key is refused", api.ask("/chat/completions", chat, key="wrong")[0] in (401, 403)
    yield "and then all is well", api.ask("/chat/completions", chat)[0] == 200


@pytest.mark.scenario("api_endpoints", suite="comprehensive", title="API endpoints", seconds=6.0)
def test_api_endpoints(scenario: Scenario) -> None:
    """What each endpoint must answer, then 100 streamed and 100 plain chats a second."""
    targets = scenario.config
    if targets.live:
        pytest.skip("malformed input and wrong keys are not for a provider that is paid")
    model = targets.model.split("/", 1)[1]
    key = os.environ.get("HEADRACE_TARGET_KEY") if targets.url else KEY
    url = targets.url or targets.server(api_keys=[KEY], time_to_first_token=0.005, tokens_per_second=0).url
    for round in scenario.rounds(least=2):
        for name, holds in checks(Api(url, key), model):
            round.check("checks", holds)
            round.count(f"check {name}", int(not holds))
        for stream, metric in ((True, "stream_ms"), (False, "plain_ms")):
            target = Target.http(url, model=model, api_key=key, stream=stream)
            run = open_loop(
                target, ESG(seed=scenario.seed), Arrivals.poisson(100), length=0.5, seed=round.index, max_lag=0.05
            )
            take(round, run, latency=metric)
            if stream:
                first = run.samples()["first_token"]
                round.trend("first_token_ms", first[first == first] * 1000)
