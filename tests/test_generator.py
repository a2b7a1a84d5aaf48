"""The load generator: arrivals, targets, runs, statistics, seen from Python."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from headrace.errors import ConfigError
from headrace.loadgen import (
    Arrivals,
    ProcessSampler,
    Target,
    batch_means,
    block_bootstrap,
    clopper_pearson,
    closed_loop,
    least_trials,
    least_values,
    machine_noise,
    mean_interval,
    mser5,
    open_loop,
    quantile_interval,
    quantile_lower_bound,
    quantile_upper_bound,
    rate_lower_bound,
    rate_upper_bound,
    theil_sen,
    traces,
    wilson,
)
from headrace.queue import RequestQueue
from headrace.workload import ESG, Request
from hypothesis import given, settings
from hypothesis import strategies as st

OPEN = {"max_lag": 5.0}  # these tests judge what is counted, not how busy this machine is


@settings(max_examples=50, deadline=None)
@given(
    stages=st.lists(st.tuples(st.floats(0.1, 5), st.floats(0, 200), st.floats(0, 200)), min_size=1, max_size=5).filter(
        lambda stages: any(a + b > 1 for _, a, b in stages)
    ),
    process=st.sampled_from(["constant", "poisson", "gamma"]),
    seed=st.integers(0, 2**64 - 1),
)
def test_arrivals_are_in_order_and_within_the_plan(stages, process, seed):
    plan = Arrivals.staged(stages, process=process, cv=1.5)
    times = plan.times(100_000, seed=seed)
    assert np.all(np.diff(times) >= 0)
    assert np.all(times >= 0)
    assert np.all(times <= plan.length + 1e-6)
    assert plan.length == pytest.approx(sum(length for length, _, _ in stages))
    assert np.array_equal(times, plan.times(100_000, seed=seed))
    if process == "constant":
        area = sum(length * (a + b) / 2 for length, a, b in stages)
        assert abs(len(times) - area) <= 1.001


def test_a_trace_says_when_and_how_long(tmp_path):
    path = tmp_path / "trace.csv"
    path.write_text(
        "TIMESTAMP,ContextTokens,GeneratedTokens\n"
        "2023-11-16 18:15:46.6805900,374,44\n2023-11-16 18:15:50.6805900,396,109\n"
    )
    plan = Arrivals.trace(path, speed=100)
    assert plan.length == pytest.approx(0.04)
    seen = []
    run = open_loop(Target.python(seen.append), ["a"], plan, **OPEN)
    assert len(run) == 2
    assert sorted((request.input_tokens, request.output_tokens) for request in seen) == [(374, 44), (396, 109)]
    path.write_text("when,what\n1,2\n")
    with pytest.raises(ConfigError, match="TIMESTAMP"):
        Arrivals.trace(path)


def test_the_traces_that_come_along_keep_their_bursts():
    variation = {}
    for name, path in traces().items():
        times = Arrivals.trace(path).times(10_000)
        gaps = np.diff(times)
        variation[name] = gaps.std() / gaps.mean()
        assert len(times) >= 800
    assert 0.9 < variation["azure-2023-conversation"] < 1.3
    assert variation["azure-2023-code"] > 8


def test_requests_go_out_when_due():
    seen = []
    requests = ESG(seed=4).take(50)
    run = open_loop(Target.python(seen.append, workers=1), ESG(seed=4), Arrivals.constant(1000), limit=50, **OPEN)
    # Their tasks are started in order, and run by several threads.
    assert sorted(seen, key=lambda request: request.index) == requests
    samples = run.samples()
    assert np.allclose(samples["intended"], np.arange(50) / 1000)
    assert np.all(samples["lag"] >= 0)
    assert np.allclose(samples["latency"], samples["end"] - samples["intended"])
    assert {len(column) for column in samples.values()} == {50}


def test_what_a_callable_says_is_kept():
    def answer(request: Request):
        return {
            "text": "t",
            "cost": Decimal("0.000123"),
            "cache": "semantic",
            "input_tokens": 3,
            "output_tokens": 5,
            "retries": 2,
            "first_token": 0.25,
            "token_gaps": [0.01, 0.03],
            "extra": {"queue_wait_ms": 1.5},
        }

    run = closed_loop(Target.python(answer), ["a"], users=1, per_user=2)
    samples, summary = run.samples(), run.summary()
    assert run.costs() == [123_000_000_000_000] * 2
    assert summary["cost_attodollars"] == "246000000000000"
    assert summary["cache"] == {
        "exact": 0, "semantic": 2, "misses": 0, "hit_rate": 1.0, "right": 0, "wrong": 0, "unverified": 2,
    }  # fmt: skip
    assert samples["first_token"] == pytest.approx([0.25] * 2)
    assert samples["token_gap"] == pytest.approx([0.02] * 2)
    assert (summary["input_tokens"], summary["output_tokens"], summary["retries"]) == (6, 10, 4)
    assert summary["inter_token_ms"]["count"] == 4
    rows, values = run.extra()["queue_wait_ms"]
    assert (rows.tolist(), values.tolist()) == ([0, 1], [1.5, 1.5])


class Reply:
    """Has the attributes of a client's reply."""

    text, cost, cache, attempts, waited = "t", Decimal("0.5"), None, 3, 0.125

    class usage:  # noqa: N801
        input_tokens, output_tokens, cached_input_tokens = 7, 9, 1


def test_a_clients_reply_is_understood():
    run = closed_loop(Target.python(lambda _: Reply()), ["a"], users=1, per_user=1)
    summary = run.summary()
    assert (summary["cache"]["misses"], summary["retries"], summary["input_tokens"]) == (1, 2, 7)
    assert run.costs() == [5 * 10**17]
    assert run.extra()["queue_wait_ms"][1].tolist() == [125.0]


def test_a_wrong_hit_is_counted_as_wrong():
    """A cache that takes two questions for one, beside one that does not."""
    questions = [Request("Scope 1 in 2023?", answer_key="2023"), Request("Scope 1 in 2022?", answer_key="2022")]

    def run(key):
        stored: dict[str, str] = {}

        def answer(request):
            if key(request) in stored:
                return {"cache": "semantic", "text": stored[key(request)]}
            stored[key(request)] = f"answer to {request.prompt}"
            return {"cache": "miss", "text": stored[key(request)]}

        return closed_loop(Target.python(answer), questions, users=1, per_user=10).summary()["cache"]

    sloppy, careful = run(lambda request: request.prompt[:7]), run(lambda request: request.prompt)
    assert (sloppy["right"], sloppy["wrong"], sloppy["misses"]) == (4, 5, 1)
    assert (careful["right"], careful["wrong"], careful["misses"]) == (8, 0, 2)


def test_failures_are_counted_by_kind():
    def fail(request):
        if request.prompt == "b":
            raise KeyError("x")
        if request.prompt == "c":
            return {"error": "http_429", "status": 429}
        return None

    summary = closed_loop(Target.python(fail), ["a", "b", "c"], users=1, per_user=6).summary()
    assert summary["errors"] == {"KeyError": 2, "http_429": 2}
    assert (summary["succeeded"], summary["failed"]) == (2, 4)
    with_nonsense = closed_loop(Target.python(lambda _: {"nonsense": 1}), ["a"], users=1, per_user=1)
    assert with_nonsense.summary()["errors"] == {"TypeError": 1}


def test_async_callables_run_at_once():
    """Each waits for all: were they run in turns, the first would wait for ever."""
    at_once, all_there = 0, asyncio.Event()

    async def answer(request):
        nonlocal at_once
        at_once += 1
        if at_once == 30:
            all_there.set()
        await asyncio.wait_for(all_there.wait(), 60)

    run = closed_loop(Target.python(answer), ["a"], users=30, per_user=1)
    assert run.summary()["succeeded"] == 30


def test_too_few_workers_make_the_run_void():
    """What waits for a thread of the generator's own waits for the generator."""
    run = open_loop(
        Target.python(lambda _: time.sleep(0.05), workers=1), ["a"], Arrivals.constant(200), limit=40, max_lag=0.02
    )
    assert run.void is not None
    assert "late" in run.void
    assert run.summary()["void"] == run.void


def test_groups_and_goodput():
    run = closed_loop(Target.sleep(0.02), ESG(seed=2, tenants=["a", "b"]), users=5, per_user=40)
    summary = run.summary(slo_latency=10.0)
    assert summary["goodput"] == pytest.approx(summary["throughput"])
    assert run.summary(slo_latency=0.001)["goodput"] == 0
    assert set(summary["by_tenant"]) == {"a", "b"}
    assert sum(group["requests"] for group in summary["by_tenant"].values()) == 200
    assert sum(group["requests"] for group in summary["by_priority"].values()) == 200
    assert sum(interval["succeeded"] for interval in run.summary(interval=0.1)["series"]) == 200
    kept = run.summary(warmup=0.5)
    assert 0 < kept["warmup_requests"] < 200
    assert kept["requests"] == 200 - kept["warmup_requests"]
    assert 0 <= run.warmup() <= 100


def test_progress_is_told_and_its_error_ends_the_run():
    seen = []

    def look(told):
        seen.append(told)
        if len(seen) == 3:
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        open_loop(Target.null(), ["a"], Arrivals.constant(100), progress=look, length=3600)
    assert [told["sent"] for told in seen] == sorted(told["sent"] for told in seen)
    assert 0 < seen[0]["elapsed_s"] < seen[1]["elapsed_s"] < seen[2]["elapsed_s"]


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_ends_a_run():
    code = (
        "import signal\n"
        "from headrace.loadgen import *\n"
        # Where the tests run in the background of a shell, the signal is ignored.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "told = lambda _: print('runs', flush=True)\n"
        "try: open_loop(Target.null(), ['a'], Arrivals.constant(100), length=3600, progress=told)\n"
        "except KeyboardInterrupt: print('interrupted', flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout.readline() == "runs\n"
        child.send_signal(signal.SIGINT)
        try:
            assert next(line for line in child.stdout if line != "runs\n") == "interrupted\n"
            assert child.wait(30) == 0
        finally:
            child.kill()


class Server(BaseHTTPRequestHandler):
    """A small OpenAI-compatible server with faults by prompt."""

    protocol_version = "HTTP/1.1"
    asked: list[dict] = []  # noqa: RUF012

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        prompt = body["messages"][-1]["content"]
        self.asked.append({"headers": dict(self.headers), **body})
        if prompt == "limit":
            return self.reply(429, b"{}")
        if prompt == "garbage":
            return self.reply(200, b"not json")
        usage = {"prompt_tokens": 3, "completion_tokens": 2}
        if not body.get("stream"):
            return self.reply(
                200,
                json.dumps({"choices": [{"message": {"content": "Hello"}}], "usage": usage}).encode(),
                {"x-headrace-cache": "exact", "x-headrace-cost-usd": "0.000001"},
            )
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        for word in ("Hel", "lo"):
            event = {"choices": [{"delta": {"content": word}}]}
            self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
        self.close_connection = True
        if prompt != "truncate":
            self.wfile.write(f"data: {json.dumps({'choices': [], 'usage': usage})}\n\ndata: [DONE]\n\n".encode())
        return None

    def reply(self, status, body, headers=None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def server():
    Server.asked.clear()
    http = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{http.server_port}/v1"
    http.shutdown()
    http.server_close()
    thread.join()


def test_a_streaming_server(server):
    target = Target.http(server, model="m", api_key="sk-secret-key", limit_tokens=True)
    request = Request("And in 2022?", messages=[{"role": "user", "content": "x"}], tenant="audit", output_tokens=50)
    run = closed_loop(target, [request], users=1, per_user=3)
    samples, summary = run.samples(), run.summary()
    assert (summary["succeeded"], summary["input_tokens"], summary["output_tokens"]) == (3, 9, 6)
    assert np.all(samples["first_token"] <= samples["service"])
    assert summary["inter_token_ms"]["count"] == 3
    asked = Server.asked[0]
    assert asked["model"] == "m"
    assert asked["stream"] is True
    assert asked["max_tokens"] == 50
    assert [message["content"] for message in asked["messages"]] == ["x", "And in 2022?"]
    headers = {name.lower(): value for name, value in asked["headers"].items()}
    assert headers["authorization"] == "Bearer sk-secret-key"
    assert (headers["x-headrace-tenant"], headers["x-headrace-priority"]) == ("audit", "normal")
    assert "secret" not in repr(target)


def test_a_servers_faults_are_told_apart(server):
    streamed = closed_loop(Target.http(server, model="m"), ["limit", "truncate"], users=1, per_user=2)
    assert streamed.summary()["errors"] == {"http_429": 1, "truncated": 1}
    plain = closed_loop(Target.http(server, model="m", stream=False), ["garbage", "fine"], users=1, per_user=2)
    assert plain.summary()["errors"] == {"malformed": 1}
    assert plain.summary()["cache"]["exact"] == 1
    assert plain.costs() == [None, 10**12]
    nobody = closed_loop(Target.http("http://127.0.0.1:1/v1", model="m"), ["a"], users=1, per_user=1)
    assert nobody.summary()["errors"] == {"connect": 1}
    with pytest.raises(ConfigError, match="http"):
        Target.http("localhost", model="m")


@pytest.mark.parametrize("url", ["memory://", "sqlite:///{}/queue.db"])
def test_a_queue_is_a_target(tmp_path, url):
    queue = RequestQueue(url.format(tmp_path))
    run = closed_loop(Target.queue(queue, workers=2), ESG(seed=3), users=5, per_user=20)
    assert run.summary()["succeeded"] == 100
    extra = run.extra()
    assert {name: len(rows) for name, (rows, _) in extra.items()} == {"enqueue_ms": 100, "queue_wait_ms": 100}
    assert len(queue) == 0
    queue.close()
    closed = closed_loop(Target.queue(queue), ["a"], users=1, per_user=1)
    assert closed.summary()["errors"] == {"QueueClosed": 1}


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: open_loop(Target.null(), ["a"], Arrivals.constant(1)), "no end"),
        (lambda: open_loop(Target.null(), [], Arrivals.constant(1), limit=1), "empty"),
        (lambda: open_loop(Target.null(), ["a"], Arrivals.constant(1), limit=1, max_in_flight=0), "max_in_flight"),
        (lambda: open_loop(Target.null(), ["a"], Arrivals.constant(1), length=float("nan")), "length"),
        (lambda: closed_loop(Target.null(), ["a"], users=0, per_user=1), "users"),
        (lambda: closed_loop(Target.null(), ["a"], users=1), "no end"),
        (lambda: closed_loop(Target.null(), ["a"], users=1, per_user=1).summary(warmup="x"), "warmup"),
        (lambda: Arrivals.constant(0), "rate"),
        (lambda: Arrivals.gamma(1, -1), "cv"),
        (lambda: Arrivals.staged([(1, 1, 1)], process="bursty"), "process"),
        (lambda: Target.sleep(-1), "time"),
        (lambda: Target.python(print, workers=0), "workers"),
        (lambda: wilson(2, 1), "no rate"),
        (lambda: quantile_interval([], 0.5), "values"),
        (lambda: quantile_interval([1.0, float("nan")], 0.5), "NaN"),
        (lambda: least_values(1.0), "share"),
        (lambda: block_bootstrap([1.0, 2.0], "median"), "statistic"),
        (lambda: ProcessSampler(2**31), "process"),
    ],
)
def test_bad_input_is_refused(call, match):
    with pytest.raises(ValueError, match=match):
        call()


def test_other_types_are_refused():
    with pytest.raises(TypeError, match="Request"):
        open_loop(Target.null(), [3], Arrivals.constant(1), limit=1)
    with pytest.raises(TypeError, match="callable"):
        Target.python(3)


def test_the_arithmetic_of_samples():
    assert (least_trials(0.90), least_values(0.95), least_values(0.99)) == (29, 59, 299)
    assert rate_lower_bound(20, 20) < 0.90 < rate_lower_bound(29, 29)
    assert rate_upper_bound(0, 29) == pytest.approx(1 - rate_lower_bound(29, 29))
    assert quantile_upper_bound(np.arange(58.0), 0.95) == float("inf")
    assert quantile_upper_bound(np.arange(59.0), 0.95) == 58
    assert quantile_lower_bound([1.0, 2.0], 0.5) == float("-inf")


@settings(deadline=None)
@given(trials=st.integers(1, 500), data=st.data(), confidence=st.floats(0.5, 0.99))
def test_rate_intervals_hold_together(trials, data, confidence):
    successes = data.draw(st.integers(0, trials))
    for interval in (wilson, clopper_pearson):
        value, low, high = interval(successes, trials, confidence)
        assert 0 <= low <= value <= high <= 1
    # What does not happen in a failure's favour: swapping the two mirrors the interval.
    mirrored = clopper_pearson(trials - successes, trials, confidence)
    assert mirrored.low == pytest.approx(1 - clopper_pearson(successes, trials, confidence).high, abs=1e-9)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(-1e6, 1e6), min_size=40, max_size=200), st.integers(0, 100))
def test_intervals_hold_their_estimate(values, seed):
    for found in (mean_interval(values), batch_means(values, 10), quantile_interval(values, 0.5)):
        # Of equal values the mean is rounded.
        slack = 1e-9 * max(1.0, abs(found.value))
        assert found.low - slack <= found.value <= found.high + slack
    assert block_bootstrap(values, 0.9, resamples=20, seed=seed).value in values
    assert mser5(values) <= len(values) / 2 + 5


def test_a_slope_is_found():
    x = np.arange(100.0)
    found = theil_sen(x, 3 * x + np.where(x == 50, 1e6, 0))
    assert tuple(found) == pytest.approx((3, 3, 3), abs=0.01)


def test_a_process_is_watched():
    with ProcessSampler(interval=0.02) as sampler:
        while len(sampler.samples()["rss"]) < 2:
            time.sleep(0.01)
        held = bytearray(64 << 20)
        seen = len(sampler.samples()["rss"])
        while len(sampler.samples()["rss"]) < seen + 2:
            time.sleep(0.01)
    samples = sampler.samples()
    assert samples["rss"][-1] - samples["rss"][0] > 32 << 20
    assert np.all(np.diff(samples["cpu"]) >= 0)
    assert len(held) == 64 << 20
    if sys.platform == "linux":
        assert np.all(samples["files"] > 0)
        assert np.all(samples["threads"] > 0)


def test_noise_is_measured():
    noise = machine_noise(0.05)
    assert noise["loops"] >= 10
    assert 0 < noise["fastest_us"] <= noise["median_us"] <= noise["slowest_us"]
    assert 0 <= noise["lost_share"] < 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork")
def test_a_forked_child_runs_loads_too():
    code = (
        "import os, sys, asyncio\n"
        "from headrace.loadgen import *\n"
        "async def answer(request): await asyncio.sleep(0)\n"
        "def check():\n"
        "    run = closed_loop(Target.python(answer), ['a'], users=2, per_user=2)\n"
        "    return run.summary()['succeeded'] == 4\n"
        "assert check()\n"
        "child = os.fork()\n"
        "if child == 0: os._exit(0 if check() else 1)\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    assert subprocess.run([sys.executable, "-W", "ignore", "-c", code], timeout=60).returncode == 0
