"""The generator against a server that nobody here wrote: llmock's faults, each told apart."""

import pytest
from headrace.loadgen import Target, closed_loop

pytestmark = pytest.mark.filterwarnings("ignore")
testing = pytest.importorskip("llmock.testing")
scenarios = pytest.importorskip("llmock.scenarios")


@pytest.fixture(scope="module")
def server():
    with testing.LLMockServer() as running:
        yield running


def ask(server, **args):
    target = Target.http(server.base_url("openai"), model="gpt-4o-mini", api_key="test", timeout=2, **args)
    return closed_loop(
        target, ["What figure did Alpenglas SE report for Scope 1 emissions in 2023?"], users=1, per_user=3
    )


@pytest.mark.parametrize(
    ("fault", "kind"),
    [("disconnect", "disconnect"), ("truncate", "truncated"), ("stall", "timeout"), ("malformed", "malformed")],
)
def test_a_broken_stream_is_a_failure_of_its_kind(server, fault, kind):
    server.state.scenarios.add(scenarios.StreamFault(fault, times=1))
    summary = ask(server).summary()
    assert summary["errors"] == {kind: 1}
    assert summary["succeeded"] == 2
    assert summary["first_token_ms"]["count"] == 2
    assert summary["inter_token_ms"]["count"] > 0


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_refusal_is_a_failure_of_its_status(server, status, stream):
    server.state.scenarios.add(scenarios.Fail(status, times=1))
    run = ask(server, stream=stream)
    summary = run.summary()
    assert summary["errors"] == {f"http_{status}": 1}
    assert (summary["requests"], summary["succeeded"]) == (3, 2)
    assert summary["output_tokens"] > 0
