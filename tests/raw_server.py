"""A provider over bare sockets that does to the letter what a test tells it, well formed or not.

    with RawServer(streamed(sse(chunk({"content": "Scope 2"}), chunk({}, "stop"), DONE))) as server:
        ...                               # ask at server.url
    assert server.count == 1 and server.requests[0].json["stream"]

A reply is a list of steps: bytes to send, a `threading.Event` to wait for, or CLOSE. The nth request gets the nth
reply, the last reply goes on; a reply may be a function of the request that gives the steps.
"""

import asyncio
import contextlib
import json
import socket
import threading
from collections import deque
from dataclasses import dataclass

import headrace
from headrace.providers import OpenAICompatible

CLOSE = object()
DONE = "[DONE]"
MODEL = "openai/gpt-4o-mini"
USAGE = {"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17}
REASONS = {
    200: "OK",
    307: "Temporary Redirect",
    308: "Permanent Redirect",
    400: "Bad Request",
    429: "Too Many Requests",
}


def chunk(delta, finish=None, index=0, usage=None):
    """A chunk of a streamed reply; `delta` None is a chunk without choices, which tells the usage."""
    choices = [] if delta is None else [{"index": index, "delta": delta, "finish_reason": finish}]
    told = {} if usage is None else {"usage": usage}
    return {"id": "chat-1", "object": "chat.completion.chunk", "model": "gpt-4o-mini", "choices": choices, **told}


def completion(message, finish="stop", usage=USAGE, **more):
    """A whole reply; `message` is a text, a message, or a list of messages: a choice each."""
    messages = message if isinstance(message, list) else [message]
    messages = [{"content": one} if isinstance(one, str) else one for one in messages]
    choices = [
        {"index": n, "message": {"role": "assistant", **one}, "finish_reason": finish} for n, one in enumerate(messages)
    ]
    told = {} if usage is None else {"usage": usage}
    return {"id": "chat-1", "object": "chat.completion", "model": "gpt-4o-mini", "choices": choices, **told, **more}


def sse(*events):
    """Events of a stream: dicts as JSON, texts as data, bytes as they are."""

    def line(event):
        if isinstance(event, bytes):
            return event
        return (
            b"data: " + (event if isinstance(event, str) else json.dumps(event, ensure_ascii=False)).encode() + b"\n\n"
        )

    return b"".join(map(line, events))


def http(status=200, body=b"", headers=(), kind="application/json"):
    """A reply with its length told; a dict is sent as JSON."""
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = {"content-type": kind, "content-length": str(len(body)), **dict(headers)}
    return [_head(status, head) + body]


def whole(message="An answer.", finish="stop", usage=USAGE, **more):
    return http(200, completion(message, finish, usage, **more))


def error(status, body="broken", headers=()):
    body = {"error": {"message": body}} if isinstance(body, str) else body
    return http(status, body, headers)


def streamed(*pieces, end=True, headers=()):
    """A streamed reply, a piece a chunk of HTTP; without `end` the connection is closed in the middle."""
    head = {"content-type": "text/event-stream", "transfer-encoding": "chunked", **dict(headers)}
    steps = [_head(200, head)]
    for piece in pieces:
        steps.append(b"%x\r\n%b\r\n" % (len(piece), piece) if isinstance(piece, bytes) else piece)
    return [*steps, b"0\r\n\r\n" if end else CLOSE]


def told(text="An answer.", finish="stop", usage=USAGE):
    """A reply to whatever way it is asked for: streamed, in two pieces, or whole."""

    def reply(request):
        if not request.json.get("stream"):
            return whole(text, finish, usage)
        half = len(text) // 2
        pieces = [chunk({"content": text[:half]}), chunk({"content": text[half:]}), chunk({}, finish)]
        return streamed(sse(*pieces, *([chunk(None, usage=usage)] if usage else []), DONE))

    return reply


def by_way(one, other):
    """One reply to what is asked for as a stream, another to what is asked for whole."""
    return lambda request: one if request.json.get("stream") else other


def embeddings(n=1, usage=True):
    rows = [{"object": "embedding", "index": k, "embedding": [1.0, float(k)]} for k in range(n)]
    return http(200, {"data": rows, **({"usage": {"prompt_tokens": n, "total_tokens": n}} if usage else {})})


def _head(status, headers):
    lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Status')}", *(f"{k}: {v}" for k, v in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


@dataclass(frozen=True)
class Request:
    """What the server received."""

    line: str
    headers: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


class RawServer:
    """A scripted provider on the loopback."""

    def __init__(self, *replies):
        self.requests = []
        self._replies = deque(replies or [told()])
        self._change = threading.Condition()
        self._open = set()
        self._is_closed = False
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def count(self):
        with self._change:
            return len(self.requests)

    @property
    def connections(self):
        """How many connections are open."""
        with self._change:
            return len(self._open)

    def wait_for(self, count):
        """Wait until so many requests have come."""
        with self._change:
            assert self._change.wait_for(lambda: len(self.requests) >= count, 60), f"{len(self.requests)} came"

    def wait_until_left(self):
        """Wait until no connection is open."""
        with self._change:
            assert self._change.wait_for(lambda: not self._open, 60), f"{len(self._open)} are open"

    def then(self, *replies):
        """Answer so from now on."""
        with self._change:
            self._replies = deque(replies)

    def close(self):
        with self._change:
            self._is_closed = True
            sockets = list(self._open)
        for one in [self._listener, *sockets]:
            # Wakes up the thread that waits in it.
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._thread.join(60)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _accept(self):
        while True:
            try:
                one, _ = self._listener.accept()
            except OSError:
                return
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._change:
                self._open.add(one)
            threading.Thread(target=self._serve, args=(one,), daemon=True).start()

    def _serve(self, one):
        try:
            with one.makefile("rb") as incoming:
                while (request := _read(incoming)) is not None and self._answer(one, request):
                    pass
        except (OSError, ValueError):
            pass
        finally:
            one.close()
            with self._change:
                self._open.discard(one)
                self._change.notify_all()

    def _answer(self, one, request):
        """Whether the connection goes on."""
        with self._change:
            self.requests.append(request)
            reply = self._replies.popleft() if len(self._replies) > 1 else self._replies[0]
            self._change.notify_all()
        for step in reply(request) if callable(reply) else reply:
            if step is CLOSE:
                return False
            if isinstance(step, bytes):
                one.sendall(step)
            elif not self._wait(one, step):
                return False
        return True

    def _wait(self, one, event):
        """Whether the event came before the other side left."""
        one.settimeout(0.02)
        try:
            while not event.is_set():
                try:
                    if one.recv(1, socket.MSG_PEEK) == b"":
                        return False
                    event.wait(0.02)  # the next request is there already
                except TimeoutError:
                    pass
        finally:
            one.settimeout(None)
        return True


def _read(incoming):
    line = incoming.readline().decode("latin-1").strip()
    if not line:
        return None
    headers = {}
    while row := incoming.readline().decode("latin-1").strip():
        name, _, value = row.partition(":")
        headers[name.strip().lower()] = value.strip()
    return Request(line, headers, incoming.read(int(headers.get("content-length", 0))))


def eventually(condition):
    """Wait until it holds, as long as a test may take."""
    pause = threading.Event()
    while not condition():
        pause.wait(0.01)


def provider_of(server, name="openai", **settings):
    return OpenAICompatible(server.url, name=name, **{"api_key": "sk-test"} | settings)


def client_of(server, **settings):
    """A client whose only provider is the server, which asks once."""
    return headrace.Client([provider_of(server)], **{"max_attempts": 1} | settings)


def by_chat(client, question, **call):
    return client.chat(MODEL, question, **call)


def by_stream(client, question, **call):
    stream = client.stream(MODEL, question, **call)
    for _ in stream:
        pass
    return stream.response


def by_astream(client, question, **call):
    async def main():
        stream = await client.astream(MODEL, question, **call)
        async for _ in stream:
            pass
        return stream.response

    return asyncio.run(main())


BY_STREAM = [by_stream, by_astream]
EVERY_WAY = [by_chat, *BY_STREAM]
