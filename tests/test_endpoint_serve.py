"""`headrace serve`, `headrace keys` and `headrace config`, as processes."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request

import headrace
import pytest
from raw_server import RawServer, completion, http

KEYLESS = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}


def headrace_command(*arguments, **more):
    return subprocess.run(
        [sys.executable, "-m", "headrace", *arguments], capture_output=True, text=True, timeout=60, env=KEYLESS | more
    )


class Serving:
    """A `headrace serve` that runs; its lines are read as they come."""

    def __init__(self, *arguments, **more):
        command = [sys.executable, "-m", "headrace", "serve", "--port", "0", *arguments]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=KEYLESS | more)
        self.lines = []
        self.url = self.line("http://").partition(" at ")[2].partition(": ")[0]

    def line(self, words):
        """The next line with these words in it."""
        for line in self.process.stderr:
            self.lines.append(line)
            if words in line:
                return line
        raise AssertionError("".join(self.lines))

    def ask(self, path="/v1/chat/completions", body=None, key=None, **headers):
        """The status and the JSON of a reply."""
        headers |= {"content-type": "application/json"} | ({"authorization": f"Bearer {key}"} if key else {})
        data = None if body is None else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(urllib.request.Request(self.url + path, data, headers), timeout=60) as reply:
                return reply.status, json.loads(reply.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def read(self, path):
        """The text of a reply."""
        with urllib.request.urlopen(self.url + path, timeout=60) as reply:
            return reply.read().decode()

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        status = self.process.wait(60)
        self.process.stderr.close()
        return status

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(60)
        self.process.stderr.close()


def question(words="Which scope is travel?", model="simulated/echo"):
    return {"model": model, "messages": [{"role": "user", "content": words}]}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_it_is_told_to_stop(number):
    with Serving() as serving:
        status, reply = serving.ask(body=question())
        assert (status, reply["choices"][0]["message"]["content"]) == (200, "Which scope is travel?")
        assert serving.stop(number) == 0


def test_a_stop_finishes_what_runs(tmp_path):
    hold = threading.Event()
    slow = [hold, *http(200, completion("1,204 t"))]
    with RawServer(slow) as provider:
        config = tmp_path / "headrace.toml"
        config.write_text(f'[[providers]]\nname = "local"\nbase_url = "{provider.url}"\n')
        with Serving("--config", str(config)) as serving:
            told = []
            call = threading.Thread(target=lambda: told.append(serving.ask(body=question(model="local/m"))))
            call.start()
            provider.wait_for(1)
            serving.process.send_signal(signal.SIGTERM)
            # It is stopping when it takes no connection any more.
            refused = threading.Event()
            while not refused.is_set():
                try:
                    socket.create_connection(("127.0.0.1", int(serving.url.rpartition(":")[2])), 5).close()
                    refused.wait(0.01)
                except OSError:
                    refused.set()
            hold.set()
            call.join(60)
            assert told[0][1]["choices"][0]["message"]["content"] == "1,204 t"
            assert serving.process.wait(60) == 0


def test_the_file_is_read_again_and_no_call_is_lost(tmp_path):
    hold = threading.Event()
    config = tmp_path / "headrace.toml"
    with RawServer([hold, *http(200, completion("old"))]) as old, RawServer(http(200, completion("new"))) as new:
        text = '[[providers]]\nname = "local"\nbase_url = "{}"\n[[budgets]]\nlimit = "5"\n'
        config.write_text(text.format(old.url))
        with Serving("--config", str(config)) as serving:
            told = []
            call = threading.Thread(target=lambda: told.append(serving.ask(body=question("one", "local/m"))))
            call.start()
            old.wait_for(1)
            config.write_text(text.format(new.url) + "typo = 1\n")
            serving.process.send_signal(signal.SIGHUP)
            assert f"{config}, line 6, column 1: unknown field `typo`" in serving.line("as before")
            config.write_text(text.format(new.url))
            serving.process.send_signal(signal.SIGHUP)
            serving.line("was read again")
            assert serving.ask(body=question("two", "local/m"))[1]["choices"][0]["message"]["content"] == "new"
            hold.set()
            call.join(60)
            assert told[0][1]["choices"][0]["message"]["content"] == "old"
            # The ledger is the same one: it has both.
            assert serving.ask("/v1/headrace/costs")[1]["by"][0]["calls"] == 2
            assert serving.stop() == 0


def test_a_file_that_changes_is_read_again_and_one_with_a_fault_is_told_of(tmp_path):
    config = tmp_path / "headrace.toml"
    with RawServer(http(200, completion("old"))) as old, RawServer(http(200, completion("new"))) as new:
        text = '[[providers]]\nname = "local"\nbase_url = "{}"\n'
        config.write_text(text.format(old.url))
        with Serving("--config", str(config)) as serving:
            config.write_text(text.format(new.url) + "typo = 1\n")
            assert f"{config}, line 4, column 1: unknown field `typo`" in serving.line("as before")
            told = serving.read("/readyz")
            assert told.splitlines()[0] == "ready" and "has a fault" in told and "typo" not in told
            assert serving.ask(body=question("one", "local/m"))[1]["choices"][0]["message"]["content"] == "old"
            # As an editor does, or a mounted volume: another file in its place.
            (tmp_path / "next.toml").write_text(text.format(new.url))
            (tmp_path / "next.toml").replace(config)
            serving.line("was read again")
            assert serving.read("/readyz") == "ready"
            assert serving.ask(body=question("two", "local/m"))[1]["choices"][0]["message"]["content"] == "new"
            assert serving.stop() == 0


def test_a_file_that_is_gone_is_told_of_until_it_is_back(tmp_path):
    file = tmp_path / "headrace.toml"
    file.write_text('[[providers]]\nname = "simulated"\n')
    with Serving("--config", str(file)) as serving:
        kept = file.read_text()
        file.unlink()
        serving.line("it goes on as before")
        assert serving.read("/readyz") != "ready"
        assert serving.ask(body=question())
        file.write_text(kept)
        serving.line("was read again")
        assert serving.read("/readyz") == "ready"


def test_traces_go_where_the_environment_says():
    from test_telemetry import Receiver

    with Receiver() as receiver:
        more = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_METRIC_EXPORT_INTERVAL": "3600000"}
        with Serving(**more) as serving:
            trace = "0af7651916cd43dd8448eb211c80319c"
            traceparent = f"00-{trace}-b7ad6b7169203331-01"
            assert serving.ask(body=question(), traceparent=traceparent)[0] == 200
            # What is not sent yet is sent at the end.
            assert serving.stop() == 0
        (span,) = receiver.spans()
        assert (span.name, span.trace_id.hex()) == ("chat echo", trace)
        assert "gen_ai.client.operation.duration" in receiver.metrics()
        receiver.shutdown()


def test_traces_that_cannot_be_sent_are_an_error_where_they_were_asked_for():
    more = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    told = headrace_command("serve", "--port", "0", "--otel", **more)
    assert told.returncode != 0 and "give http/protobuf" in told.stderr
    with Serving(**more) as serving:
        assert "no traces are sent" in "".join(serving.lines)
        assert serving.ask(body=question())[0] == 200


def test_keys_are_made_listed_and_revoked(tmp_path):
    file = str(tmp_path / "keys.db")
    made = headrace_command("keys", "create", file, "--tenant", "reporting", "--model", "simulated/*", "--budget", "5")
    key = made.stdout.strip()
    assert key.startswith("hr_") and key not in made.stderr
    listed = headrace_command("keys", "list", file).stdout
    assert "tenant reporting" in listed and key not in listed and "$5 a month" in listed
    assert key.encode() not in (tmp_path / "keys.db").read_bytes()
    with Serving("--keys", file, "--host", "0.0.0.0") as serving:
        serving.url = serving.url.replace("0.0.0.0", "127.0.0.1")
        assert serving.ask(body=question())[0] == 401
        assert serving.ask(body=question(), key=key)[0] == 200
        assert serving.ask("/v1/headrace/costs", key=key)[1]["by"][0]["tenant"] == "reporting"
        assert headrace_command("keys", "revoke", file, listed.split()[0]).returncode == 0
        taken, pause = 200, threading.Event()
        while taken == 200:
            taken, _ = serving.ask(body=question(), key=key)
            pause.wait(0.05)
        assert taken == 401
        assert key not in "".join(serving.lines)
    assert headrace_command("keys", "revoke", file, "nope").returncode == 2


def test_a_place_that_others_reach_needs_keys():
    refused = headrace_command("serve", "--host", "0.0.0.0", "--port", "0")
    assert refused.returncode == 2
    assert "give keys" in refused.stderr


def test_a_configuration_is_checked(tmp_path):
    file = tmp_path / "headrace.toml"
    file.write_text('[[providers]]\nname = "openai"\napi_key = "sk-secret"\n')
    wrong = headrace_command("config", "check", str(file))
    assert wrong.returncode == 2
    assert f"{file}, line 3, column 1: unknown field `api_key`" in wrong.stderr
    assert "sk-secret" not in wrong.stderr
    file.write_text('[[providers]]\nname = "openai"\n[server]\nport = 9000\n')
    assert "openai; 127.0.0.1, port 9000" in headrace_command("config", "check", str(file)).stdout


def test_a_client_is_made_of_a_file(tmp_path, monkeypatch):
    file = tmp_path / "headrace.toml"
    with RawServer(http(200, completion("1,204 t"))) as provider:
        monkeypatch.setenv("LOCAL_KEY", "sk-canary")
        file.write_text(
            f'[[providers]]\nname = "local"\nbase_url = "{provider.url}"\nkey_variable = "LOCAL_KEY"\n'
            f'[costs]\nurl = "sqlite:///{tmp_path}/ledger.db"\n[limits]\nconcurrency = 2\n'
            "[limits.tenant.acme]\nconcurrency = 1\n"
            '[[budgets]]\nlimit = "5"\ntenant = "acme"\nperiod = "day"\n[fallbacks]\n"local/a" = ["local/b"]\n'
        )
        with headrace.Client.from_config(file) as client:
            assert client.chat("local/a", "Scope 2?", tenant="acme").text == "1,204 t"
            assert provider.requests[0].headers["authorization"] == "Bearer sk-canary"
            assert [budget["tenant"] for budget in client.costs.budgets()] == ["acme"]
    monkeypatch.delenv("LOCAL_KEY")
    with pytest.raises(headrace.ConfigError, match="LOCAL_KEY is not set"):
        headrace.Client.from_config(file)
    with pytest.raises(headrace.ConfigError, match="cannot be read"):
        headrace.Client.from_config(tmp_path / "none.toml")
