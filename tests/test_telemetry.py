"""Traces and metrics reach a receiver of OTLP over HTTP, under OpenTelemetry's names, as parts of the caller's spans."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import headrace
import pytest

pytest.importorskip("opentelemetry.sdk")
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

QUESTION = "Which scope is the answer that nobody else may read?"


class Receiver(ThreadingHTTPServer):
    """Takes in what an exporter of OTLP posts."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.bodies = {"/v1/traces": [], "/v1/metrics": []}
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def spans(self):
        told = [ExportTraceServiceRequest.FromString(body) for body in self.bodies["/v1/traces"]]
        return [s for one in told for r in one.resource_spans for scope in r.scope_spans for s in scope.spans]

    def metrics(self):
        told = ExportMetricsServiceRequest.FromString(self.bodies["/v1/metrics"][-1])
        return {m.name: m for r in told.resource_metrics for scope in r.scope_metrics for m in scope.metrics}


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.bodies[self.path].append(body)
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def receiver():
    with Receiver() as server:
        yield server
        server.shutdown()


def attributes(told):
    return {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in told.attributes}


def test_calls_are_spans_and_figures_in_otlp(receiver):
    tracing = TracerProvider()
    tracing.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{receiver.url}/v1/traces")))
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(f"{receiver.url}/v1/metrics"), export_interval_millis=1e9)
    metering = MeterProvider([reader])
    client = headrace.Client(headrace.providers.Simulated(time_to_first_token=0, tokens_per_second=0), max_attempts=1)
    with headrace.telemetry.opentelemetry(client, tracer_provider=tracing, meter_provider=metering) as telemetry:
        with tracing.get_tracer("app").start_as_current_span("report"):
            client.chat("simulated/echo", QUESTION)
        client.chat("simulated/echo", QUESTION)
        "".join(chunk.text for chunk in client.stream("simulated/echo", QUESTION + " Again?"))
        with pytest.raises(headrace.UnknownModel):
            client.chat("nowhere/at-all", QUESTION)
    metering.shutdown()
    assert telemetry.lost == 0

    by_name = {}
    for span in receiver.spans():
        by_name.setdefault(span.name, []).append(span)
    report, (asked, hit, streamed), (refused,) = by_name["report"][0], by_name["chat echo"], by_name["chat"]
    assert (asked.parent_span_id, asked.trace_id) == (report.span_id, report.trace_id)
    assert hit.parent_span_id == b"" and asked.kind == asked.SPAN_KIND_CLIENT
    assert report.start_time_unix_nano <= asked.start_time_unix_nano <= asked.end_time_unix_nano
    told = attributes(asked)
    assert told["gen_ai.operation.name"] == "chat" and told["gen_ai.provider.name"] == "simulated"
    assert told["gen_ai.request.model"] == "echo" and told["gen_ai.usage.output_tokens"] > 0
    assert "headrace.cache" not in told and told["headrace.tenant"] == "default"
    assert attributes(hit)["headrace.cache"] == "exact" and "gen_ai.usage.input_tokens" not in attributes(hit)
    assert attributes(streamed)["headrace.time_to_first_chunk"] > 0
    assert (
        attributes(refused)["error.type"] == "unknown_model" and refused.status.code == refused.status.STATUS_CODE_ERROR
    )

    figures = receiver.metrics()
    durations = figures["gen_ai.client.operation.duration"]
    assert durations.unit == "s" and sum(p.count for p in durations.histogram.data_points) == 4
    assert list(durations.histogram.data_points[0].explicit_bounds)[:3] == [0.01, 0.02, 0.04]
    kinds = {attributes(p)["gen_ai.token.type"] for p in figures["gen_ai.client.token.usage"].histogram.data_points}
    assert kinds == {"input", "output"}
    assert "headrace.saved" in figures and "headrace.cost" in figures
    bodies = b"".join(body for told in receiver.bodies.values() for body in told)
    assert QUESTION.encode() not in bodies


def test_a_client_that_nobody_traces_tells_nothing():
    client = headrace.Client(headrace.providers.Simulated(time_to_first_token=0))
    telemetry = headrace.telemetry.opentelemetry(
        client, tracer_provider=TracerProvider(), meter_provider=MeterProvider()
    )
    telemetry.close()
    telemetry.close()
    assert client.chat("simulated/echo", "after the end").text == "after the end"
    with pytest.raises(headrace.ConfigError, match="capacity is 0"):
        headrace.telemetry.opentelemetry(client, capacity=0)
