"""A canary key is in no log, header, page, metric, trace, error, file or pickle, whatever fails: all of them in one run."""

import contextlib
import json
import logging
import pickle
import traceback
import urllib.error
import urllib.request

import headrace
import pytest
from headrace.providers import OpenAICompatible
from raw_server import MODEL, RawServer, told
from test_line_secrets import ECHOES, ODD_KEY, QUESTION, assert_hidden, forms

pytest.importorskip("opentelemetry.sdk")
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

PATHS = ["/", "/metrics", "/v1/models", "/healthz", "/readyz"] + [
    f"/v1/headrace/{room}" for room in ("overview", "costs", "queue", "cache")
]


class Seen(logging.Handler):
    """All that anybody logs, as text."""

    def __init__(self):
        super().__init__(0)
        self.lines = []

    def emit(self, record):
        self.lines.append(f"{record.name} {record.getMessage()} {record.__dict__}")
        if record.exc_info:
            self.lines.extend(traceback.format_exception(*record.exc_info))


def fetched(url, key, body=None):
    """Status, headers and body of a reply, as text."""
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    request = urllib.request.Request(url, body and json.dumps(body).encode(), headers)
    try:
        reply = urllib.request.urlopen(request, timeout=60)
    except urllib.error.HTTPError as refused:
        reply = refused
    with reply:
        return f"{reply.status} {reply.headers.items()} {reply.read().decode(errors='replace')}"


@pytest.fixture
def log():
    handler, root, ours = Seen(), logging.getLogger(), logging.getLogger("headrace")
    levels = root.level, ours.level
    root.addHandler(handler)
    root.setLevel(1)
    yield handler.lines
    root.removeHandler(handler)
    root.setLevel(levels[0])


def test_a_key_is_nowhere_whatever_fails(tmp_path, log, capfd):
    files = {room: f"sqlite:///{tmp_path}/{room}.db" for room in ("queue", "costs", "cache", "keys")}
    spans, figures, seen = InMemorySpanExporter(), InMemoryMetricReader(), []
    tracing = TracerProvider()
    tracing.add_span_processor(SimpleSpanProcessor(spans))
    ring = headrace.keys.KeyRing(files["keys"])
    _kept, access = ring.create("reporting", admin=True)
    with RawServer() as upstream:
        provider = OpenAICompatible(upstream.url, name="openai", api_key=ODD_KEY, headers={"x-team-token": ODD_KEY})
        client = headrace.Client(
            [provider],
            queue=headrace.RequestQueue(files["queue"]),
            costs=headrace.CostTracker(url=files["costs"]),
            cache=headrace.SemanticCache(url=files["cache"]),
            max_attempts=1,
        )
        tell = headrace.telemetry.opentelemetry(
            client, tracer_provider=tracing, meter_provider=MeterProvider([figures])
        )
        with client, tell, headrace.Server(client, keys=files["keys"]) as server:
            things = [provider, client, server, ring]
            for number, (name, echo) in enumerate(ECHOES.items()):
                upstream.then(echo(ODD_KEY))
                # A model for each: one that fails too often is left alone.
                question, model = f"{QUESTION} {number}", f"openai/canary-{number}"
                for ask in (client.chat, client.stream):
                    with contextlib.suppress(headrace.HeadraceError):
                        try:
                            things.extend(ask(model, question) or ())
                        except headrace.HeadraceError as error:
                            things.append(error)
                            raise
                for path, more in [
                    ("chat/completions", {}),
                    ("messages", {"max_tokens": 9}),
                    ("embeddings", {"input": "a"}),
                ]:
                    for stream in (False, True):
                        body = {"model": model, "messages": [{"role": "user", "content": question}], "stream": stream}
                        seen.append(f"{name}: {fetched(f'{server.url}/v1/{path}', access, body | more)}")
            upstream.then(told())
            response = client.chat(MODEL, QUESTION)
            assert_answered = [response, client.chat(MODEL, QUESTION), *client.costs.records()]
            things += [*assert_answered, client.metrics(), client.metrics().to_prometheus(), client.health()]
            things += [client.queue.stats(), client.cache.stats(), client.queue.dead()]
            pages = [fetched(server.url + path, access) for path in PATHS]
            pages += [fetched(server.url + path, "hr_unknown_key") for path in PATHS]
            with contextlib.suppress(TypeError):
                seen.append(repr(pickle.dumps(provider)))
        client.queue.close()
        assert upstream.requests[0].headers["authorization"] == f"Bearer {ODD_KEY}"
    assert any(page.startswith("200") and "gen_ai_client_operation_duration_seconds_count" in page for page in pages)
    for thing in things:
        seen += [str(thing), repr(thing)]
        if isinstance(thing, BaseException):
            seen += traceback.format_exception(thing)
        with contextlib.suppress(TypeError, pickle.PicklingError):
            seen.append(repr(pickle.dumps(thing)))
        if hasattr(thing, "to_dict"):
            seen.append(json.dumps(thing.to_dict(), default=str))
    finished = spans.get_finished_spans()
    assert {span.attributes.get("error.type") for span in finished} >= {None, "rejected", "unavailable"}
    seen += [span.to_json() for span in finished] + [figures.get_metrics_data().to_json()]
    printed = capfd.readouterr()
    seen += [*pages, *log, printed.out, printed.err]
    assert_hidden("\n".join(seen), ODD_KEY)
    assert access not in "\n".join([*pages, *log])
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert QUESTION.encode() in written
    assert [form for form in forms(ODD_KEY) | {access} if form.encode() in written] == []
