"""A stand-in for a model, so that the examples answer offline: it reads figures out of a passage by rules, over HTTP.

It speaks as much of OpenAI's chat as the examples ask of it: an answer in words, or JSON of a schema. With
HEADRACE_MODEL set, such as `openai/gpt-4o-mini`, the examples ask that model instead.
"""

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import headrace


def words(text: str) -> set[str]:
    """The words that matter."""
    return {word for word in re.findall(r"[a-z0-9]+", text.lower()) if len(word) > 2 or word.isdigit()}


def best(passage: str, question: str) -> str:
    """The sentence that shares most words with the question."""
    sentences = [
        part for block in passage.split("\n\n") for part in re.split(r"(?<=[.;])\s+", block.replace("\n", " "))
    ]
    return max(sentences, key=lambda sentence: len(words(sentence) & words(question)))


def fields(passage: str, schema: dict[str, Any]) -> dict[str, float | None]:
    """A value for each field of a schema: the first figure of the sentence that its description is nearest to."""
    found: dict[str, float | None] = {}
    for name, field in schema["properties"].items():
        sentence = best(passage, field.get("description", name))
        figure = re.search(r"(\d[\d,]*(?:\.\d+)?) (%|tCO2e|MWh|m3|employees)", sentence)
        found[name] = float(figure[1].replace(",", "")) if figure else None
    return found


class StandIn(BaseHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        *before, last = [message["content"] for message in asked["messages"]]
        passage = "\n".join(before) or last
        form = asked.get("response_format")
        text = json.dumps(fields(passage, form["json_schema"]["schema"])) if form else best(passage, last)
        usage = {"prompt_tokens": len(passage) // 4, "completion_tokens": len(text) // 4 + 1}
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        body = json.dumps({"id": "stand-in", "model": asked["model"], "choices": [choice], "usage": usage}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def client_and_model(**settings: Any) -> Iterator[tuple[headrace.Client, str]]:
    """A client, and the model to ask: that of HEADRACE_MODEL, or the stand-in."""
    if model := os.environ.get("HEADRACE_MODEL"):
        with headrace.Client(**settings) as client:
            yield client, model
        return
    server = ThreadingHTTPServer(("127.0.0.1", 0), StandIn)
    Thread(target=server.serve_forever, daemon=True).start()
    provider = headrace.providers.OpenAICompatible(f"http://127.0.0.1:{server.server_port}", name="local")
    with headrace.Client([provider], **settings) as client:
        yield client, "local/stand-in"
    server.shutdown()
    server.server_close()
