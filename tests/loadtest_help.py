"""Servers in processes of their own, and the load suite run against them as a user runs it."""

import http.client
import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

from headrace.loadtest import criteria

SMALL_SERVER = Path(__file__).parent / "data" / "small_server.py"


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def get(url):
    with urllib.request.urlopen(url, timeout=5) as reply:
        return json.load(reply)


@contextmanager
def running(command, port, log):
    """A server's process, from when it answers until it is ended."""
    with log.open("wb") as told:
        process = subprocess.Popen(command, stdout=told, stderr=told)
    try:
        until = time.monotonic() + 30
        while True:
            try:
                get(f"http://127.0.0.1:{port}/v1/models")
                break
            except (urllib.error.HTTPError, http.client.HTTPException, ConnectionResetError):
                # It is there, and says something else than JSON.
                break
            except OSError:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < until, log.read_text()
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def small_server(tmp_path, *arguments, scheme="http"):
    """`data/small_server.py`: a correct OpenAI-compatible server, but for what the arguments say."""
    port = free_port()
    with running([sys.executable, str(SMALL_SERVER), str(port), *arguments], port, tmp_path / "server.log") as url:
        yield url.replace("http", scheme, 1)


def loadtest(url, model, report, *arguments, suite="comprehensive"):
    command = [sys.executable, "-W", "ignore", "-m", "headrace", "loadtest", suite, "--target", url]
    # The machine may be busy, so that a verdict must not hang on how punctual the generator is.
    command += ["--report", str(report), "--keep-late", *arguments, *(["--model", model] if model else [])]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=115)
    told = json.loads((report / "report.json").read_text()) if (report / "report.json").exists() else None
    return done, told


def unhurried(folder, suite="comprehensive", units=("%", "")):
    """The arguments for what must hold on the slowest machine too: no criterion of time or memory, no round left out."""
    kept = [one for one in criteria.load(suite) if one.unit in units]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"unhurried-{suite}.toml"
    tables = [f"[[{one.scenario}.{one.metric}]]\npass = {json.dumps(one.threshold.text)}" for one in kept]
    path.write_text(
        "\n".join(f"{table}\ntier = {json.dumps(one.tier)}\n" for table, one in zip(tables, kept, strict=True))
    )
    return ["--criteria", str(path), "--keep-late"]


def outcomes(told):
    return {f"{r['metric']}: {r['threshold']}": r["outcome"] for s in told["scenarios"] for r in s["results"]}
