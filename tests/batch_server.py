"""A provider of batches over bare sockets, in the shapes that OpenAI and Anthropic document.

    with BatchServer() as server:
        client = headrace.Client([headrace.providers.OpenAI("sk-test", base_url=server.url)])
        ...
        server.made                # the questions of each batch
        server.may_end.set()       # until then, batches are in progress

A batch is answered by `server.answer`, a function of the question: a text, a `Refused`, `EXPIRED`, or None for no line.
Results come in the reverse order.
"""

import itertools
import json
import threading
from dataclasses import dataclass, field

from raw_server import CLOSE, RawServer, completion, error, http

EXPIRED = object()
# No more input than is counted beforehand: what is counted more is beyond any worst case.
USAGE = (2, 5)


@dataclass(frozen=True)
class Refused:
    """A request that the provider answers with an error."""

    status: int = 400
    message: str = "no such thing"


@dataclass
class Batch:
    id: str
    lines: list
    token: str = ""
    is_fetched: bool = False
    fault: str = ""
    headers: dict = field(default_factory=dict)


class BatchServer(RawServer):
    def __init__(self, answer=lambda words: f"re: {words}"):
        self.answer = answer
        self.may_end = threading.Event()
        self.may_end.set()
        self.may_reply = threading.Event()
        """Until it is set, the reply to the making of a batch is kept back; the batch is made."""
        self.may_reply.set()
        self.status = "completed"
        self.fault = ""
        self.broken = []
        """Replies to the next requests that have this in their path: pairs of a part of the path and a reply."""
        self.batches = {}
        self._files = {}
        self._numbers = itertools.count(1)
        super().__init__(self._reply)

    @property
    def made(self):
        """The questions of each batch, in the order in which they were made."""
        return [[words for _, words in batch.lines] for batch in self.batches.values()]

    def asked(self, part):
        """How many requests have this in their first line."""
        return sum(part in request.line for request in self.requests)

    def _reply(self, request):
        method, path, _ = request.line.split(" ")
        for number, (part, reply) in enumerate(self.broken):
            if part in request.line:
                del self.broken[number]
                return reply(request) if callable(reply) else reply
        path = path.removeprefix("/v1")
        if path == "/files":
            return self._upload(request)
        if method == "POST" and path in ("/batches", "/messages/batches"):
            return self._make(request, path)
        if path.startswith("/batches?"):
            return http(200, {"object": "list", "data": [self._openai(one) for one in self.batches.values()]})
        if path.startswith("/files/") and path.endswith("/content"):
            return self._content(path.split("/")[2])
        if path.startswith(("/batches/", "/messages/batches/")):
            return self._look(path)
        return error(404, "no such path")

    def _upload(self, request):
        _, boundary = request.headers["content-type"].split("boundary=")
        fields = {}
        for part in request.body.split(b"--" + boundary.encode())[1:-1]:
            head, body = part.strip(b"\r\n").split(b"\r\n\r\n", 1)
            name = head.split(b'name="', 1)[1].split(b'"', 1)[0].decode()
            fields[name] = body
        assert fields["purpose"] == b"batch"
        id = f"file-{next(self._numbers)}"
        self._files[id] = [json.loads(line) for line in fields["file"].splitlines()]
        return http(200, {"id": id, "object": "file", "purpose": "batch"})

    def _make(self, request, path):
        if path == "/batches":
            lines = self._files[request.json["input_file_id"]]
            assert {line["url"] for line in lines} == {request.json["endpoint"]}
            assert request.json["completion_window"] == "24h"
            batch = Batch(f"batch_{next(self._numbers)}", [(one["custom_id"], _words(one["body"])) for one in lines])
            batch.token = request.json["metadata"]["headrace"]
        else:
            lines = request.json["requests"]
            id = f"msgbatch_{next(self._numbers)}"
            batch = Batch(id, [(one["custom_id"], _words(one["params"])) for one in lines])
        names = [name for name, _ in batch.lines]
        assert len(set(names)) == len(names)
        assert all(len(name) <= 64 and name.replace("-", "").replace("_", "").isalnum() for name in names)
        batch.headers, batch.fault = request.headers, self.fault
        self.batches[batch.id] = batch
        told = self._openai(batch) if path == "/batches" else self._anthropic(batch)
        return [self.may_reply, *http(200, told)]

    def _look(self, path):
        *_, id = path.removesuffix("/results").split("/")
        if (batch := self.batches.get(id)) is None:
            return error(404, "no such batch")
        if path.endswith("/results"):
            return self._results(batch, [_anthropic_line(name, self.answer(words)) for name, words in batch.lines])
        return http(200, self._openai(batch) if path.startswith("/batches/") else self._anthropic(batch))

    def _openai(self, batch):
        is_over = self.may_end.is_set()
        status = "failed" if batch.fault else self.status if is_over else "in_progress"
        faults = {"object": "list", "data": [{"code": "bad", "message": batch.fault, "line": 1}]}
        has_files = is_over and not batch.fault
        return {
            "id": batch.id,
            "object": "batch",
            "status": status,
            "errors": faults if batch.fault else None,
            "output_file_id": f"out-{batch.id}" if has_files else None,
            "error_file_id": f"err-{batch.id}" if has_files else None,
            "request_counts": {"total": len(batch.lines), "completed": 0, "failed": 0},
            "metadata": {"headrace": batch.token},
        }

    def _anthropic(self, batch):
        is_over = self.may_end.is_set()
        return {
            "id": batch.id,
            "type": "message_batch",
            "processing_status": "ended" if is_over else "in_progress",
            "request_counts": {"processing": len(batch.lines), "succeeded": 0, "errored": 0},
            # Where no key of ours may go.
            "results_url": "http://127.0.0.1:9/elsewhere" if is_over else None,
        }

    def _content(self, file):
        kind, _, id = file.partition("-")
        batch = self.batches[id]
        lines = [_openai_line(name, self.answer(words)) for name, words in batch.lines]
        is_output = kind == "out"
        chosen = [line for line in lines if line is not None and (_is_success(line) == is_output)]
        return self._results(batch, chosen)

    def _results(self, batch, lines):
        batch.is_fetched = True
        body = b"\n".join(json.dumps(line).encode() for line in reversed(lines) if line is not None)
        return http(200, body, kind="application/x-jsonl")


def cut(reply, at):
    """A reply whose connection breaks after so many bytes of its body."""

    def steps(_request):
        [whole] = reply
        head, body = whole.split(b"\r\n\r\n", 1)
        return [head + b"\r\n\r\n" + body[:at], CLOSE]

    return steps


def _words(body):
    content = body["messages"][-1]["content"]
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


def _is_success(line):
    return line["response"] is not None and line["response"]["status_code"] == 200


def _openai_line(name, answer):
    if answer is None:
        return None
    line = {"id": f"batch_req_{name}", "custom_id": name, "response": None, "error": None}
    if answer is EXPIRED:
        message = "This request could not be executed before the completion window expired."
        return line | {"error": {"code": "batch_expired", "message": message}}
    if isinstance(answer, Refused):
        body = {"error": {"message": answer.message, "type": "invalid_request_error", "code": None}}
        return line | {"response": {"status_code": answer.status, "request_id": "req_1", "body": body}}
    usage = {"prompt_tokens": USAGE[0], "completion_tokens": USAGE[1], "total_tokens": sum(USAGE)}
    body = completion(answer, usage=usage)
    return line | {"response": {"status_code": 200, "request_id": "req_1", "body": body}}


def _anthropic_line(name, answer):
    if answer is None:
        return None
    if answer is EXPIRED:
        return {"custom_id": name, "result": {"type": "expired"}}
    if isinstance(answer, Refused):
        told = {"type": "error", "error": {"type": "invalid_request_error", "message": answer.message}}
        return {"custom_id": name, "result": {"type": "errored", "error": told}}
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-haiku-4-5",
        "content": [{"type": "text", "text": answer}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": USAGE[0], "output_tokens": USAGE[1]},
    }
    return {"custom_id": name, "result": {"type": "succeeded", "message": message}}
