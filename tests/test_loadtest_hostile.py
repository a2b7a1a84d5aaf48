"""Servers that are not there, that fail, hang, break off or flood: each ends in time, with its reason and exit status."""

import subprocess

import pytest
from headrace.loadgen import Target, closed_loop
from loadtest_help import free_port, loadtest, outcomes, small_server, unhurried


def said(done):
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("nonsense", "give a URL"),
        ("ftp://127.0.0.1/v1", "give a URL"),
        ("http://no-such-host.invalid/v1", "cannot be reached"),
        ("http://127.0.0.1:{port}/v1", "cannot be reached (.*refused"),
    ],
)
def test_a_server_that_is_not_there_could_not_be_tested(tmp_path, url, why):
    done, told = loadtest(url.format(port=free_port()), "small", tmp_path, suite="focused")
    assert done.returncode == 2, said(done)
    assert told is None
    assert why.split("(")[0] in said(done)
    assert "Traceback" not in said(done)


def test_a_certificate_that_is_not_trusted_is_named(tmp_path):
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "2"]
    try:
        subprocess.run([*make, "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True, timeout=60)
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip("openssl is not here to make a certificate")
    with small_server(tmp_path, "--tls", str(cert), str(key), scheme="https") as url:
        done, told = loadtest(url, "small", tmp_path, suite="focused")
        run = closed_loop(Target.http(url, model="small"), ["a"], users=1, per_user=1)
    assert done.returncode == 2, said(done)
    assert told is None
    assert "certificate that is not trusted" in said(done)
    assert run.summary()["errors"] == {"connect": 1}


def test_a_server_without_models_must_be_told_one(tmp_path):
    with small_server(tmp_path, "--without", "models") as url:
        done, _ = loadtest(url, None, tmp_path, suite="focused")
        assert done.returncode == 2, said(done)
        assert "lists no model: say which one to ask, --model NAME" in said(done)
    with small_server(tmp_path) as url:
        chosen = ["--scenario", "concurrent_handling", *unhurried(tmp_path, "focused")]
        done, told = loadtest(url, None, tmp_path, *chosen, suite="focused")
        assert done.returncode == 0, said(done)
        assert told["target"] == f"{url} (model small)"


def test_what_a_server_lacks_is_said(tmp_path):
    """No models, no embeddings: not tested, and said. No usage: what it costs cannot be known, which does not hold."""
    arguments = ["--scenario", "api_endpoints", "--time-limit", "1"]
    with small_server(tmp_path, "--without", "models,embeddings") as url:
        done, told = loadtest(url, "small", tmp_path / "lacks", *arguments)
    (scenario,) = told["scenarios"]
    assert outcomes(told)["checks: rate == 1"] == outcomes(told)["refusals: rate == 1"] == "met", said(done)
    for line in (
        "not tested: models lists the model: the target has no /models (status 404)",
        "not tested: an embedding for each text: the target has no /embeddings (status 404)",
        "not tested: no embedding for nothing: the target has no /embeddings (status 404)",
    ):
        assert line in scenario["notes"]
        for report in ("report.md", "report.html"):
            assert line in (tmp_path / "lacks" / report).read_text()
    with small_server(tmp_path, "--without", "usage") as url:
        done, told = loadtest(url, "small", tmp_path / "usage", *arguments)
    assert done.returncode == 99, said(done)
    assert outcomes(told)["checks: rate == 1"] == "failed"
    notes = "\n".join(told["scenarios"][0]["notes"])
    assert "does not hold: chat counts tokens: the reply has no usage" in notes
    assert "not tested: a stream counts tokens: streams have no usage" in notes


def test_a_correct_server_is_ready(tmp_path):
    with small_server(tmp_path) as url:
        chosen = ["--scenario", "api_endpoints", "--scenario", "target_faults", *unhurried(tmp_path)]
        done, told = loadtest(url, "small", tmp_path, *chosen)
    assert done.returncode == 0, said(done)
    assert [scenario["errors"] for scenario in told["scenarios"]] == [{}, {}]


def test_hits_that_cannot_be_judged_are_not_judged(tmp_path):
    with small_server(tmp_path, "--without", "ids") as url:
        done, told = loadtest(
            url, "small", tmp_path, "--scenario", "cache_efficiency", "--time-limit", "1", suite="focused"
        )
    assert "wrong_hits: count == 0" not in outcomes(told), said(done)
    assert "not tested: wrong_hits: the target's answers have no id of their own" in said(done)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [("500", "http_500"), ("cut", "disconnect"), ("html", "malformed"), ("shape", "malformed"), ("huge", "too_large")],
)
def test_a_fault_of_every_chat_is_told_by_its_kind(tmp_path, fault, kind):
    with small_server(tmp_path, "--fault", fault) as url:
        run = closed_loop(Target.http(url, model="small", stream=False), ["a"], users=2, per_user=2)
    assert run.summary()["errors"] == {kind: 4}


@pytest.mark.parametrize("fault", ["500", "cut", "html", "shape"])
def test_a_server_that_fails_every_chat_is_not_ready(tmp_path, fault):
    with small_server(tmp_path, "--fault", fault) as url:
        chosen = ["--scenario", "concurrent_handling", "--time-limit", "1"]
        done, told = loadtest(url, "small", tmp_path, *chosen, suite="focused")
    assert done.returncode == 99, said(done)
    assert outcomes(told)["success: rate > 0.90"] == "failed"
    assert told["scenarios"][0]["errors"]
    assert "Traceback" not in said(done)


def test_a_server_that_hangs_for_ever_does_not_hold_up_the_suite(tmp_path):
    with small_server(tmp_path, "--fault", "hang") as url:
        # Within its own time limit, or this raises.
        done, told = loadtest(url, "small", tmp_path, "--time-limit", "1", suite="focused")
    assert done.returncode == 99, said(done)
    errors = {scenario["name"]: scenario["errors"] for scenario in told["scenarios"]}
    assert errors["cache_efficiency"]["Timeout"] > 0
    assert errors["cache_efficiency"]["not asked, the time was up"] > 0
