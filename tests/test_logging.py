"""What the core warns of reaches Python's logging, though no call of headrace's comes by to fetch it."""

import json
import logging
import subprocess
import sys
import threading
import urllib.request

import headrace

ASK = """
import json, logging, urllib.request, headrace
logging.basicConfig(format="LOGGED %(name)s %(message)s")
down = headrace.providers.OpenAICompatible("http://127.0.0.1:9/v1", name="down")
up = headrace.providers.Simulated(time_to_first_token=0)
client = headrace.Client([down, up], max_attempts=1, fallbacks={"down/m": ["simulated/echo"]})
"""


class Waiting(logging.Handler):
    """Sets an event when a record with some words comes."""

    def __init__(self, words):
        super().__init__()
        self.came, self.words = threading.Event(), words

    def emit(self, record):
        if self.words in record.getMessage():
            self.came.set()


def asked(url):
    body = {"model": "down/m", "messages": [{"role": "user", "content": "Which scope is travel?"}]}
    request = urllib.request.Request(url + "/v1/chat/completions", json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=60) as reply:
        return json.load(reply)["choices"][0]["message"]["content"]


def test_behind_the_endpoint_a_warning_comes_by_itself():
    handler, log = Waiting("asking a fallback"), logging.getLogger("headrace")
    down = headrace.providers.OpenAICompatible("http://127.0.0.1:9/v1", name="down")
    up = headrace.providers.Simulated(time_to_first_token=0)
    client = headrace.Client([down, up], max_attempts=1, fallbacks={"down/m": ["simulated/echo"]})
    with headrace.Server(client) as server:
        log.addHandler(handler)
        try:
            assert asked(server.url) == "Which scope is travel?"
            assert handler.came.wait(60)
        finally:
            log.removeHandler(handler)


def test_at_the_end_of_the_process_nothing_is_lost_and_nothing_hangs():
    case = (
        ASK
        + """
server = headrace.Server(client)
body = json.dumps({"model": "down/m", "messages": [{"role": "user", "content": "Hi"}]}).encode()
urllib.request.urlopen(urllib.request.Request(server.url + "/v1/chat/completions", body), timeout=60).read()
"""
    )
    done = subprocess.run([sys.executable, "-c", case], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "LOGGED headrace asking a fallback" in done.stderr
