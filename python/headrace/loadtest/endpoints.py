"""What each endpoint of an OpenAI-compatible server must do, checked over the wire.

A check holds, fails, or could not be made; the last two say why. Nothing that a server answers is an exception.
"""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

_QUESTION = [{"role": "user", "content": "What are scope 1 emissions?"}]
# What a client tries again; a server that is merely busy shall not count as one without an endpoint.
_BUSY = (0, 429, 500, 502, 503, 504)
_ATTEMPTS = 4
_LONGEST_WAIT = 1.0
# Who has said nothing so often within the timeout is not asked again.
_MOST_SILENCES = 2
# How a server says that it has no such endpoint.
_ABSENT = (404, 405, 501)
# A reply larger than this is no answer, and is not read to its end.
_LARGEST = 32 << 20


@dataclass(frozen=True)
class Check:
    """What came of one check.

    Args:
        name: for people.
        metric: `checks`, or `refusals` where bad input had to be refused.
        holds: None where it could not be made.
        why: empty where it holds.
    """

    name: str
    metric: str
    holds: bool | None
    why: str = ""


class _Wrong(Exception):
    """The server did not do what it must."""


class _UntestedError(Exception):
    """The server does not have what would be tested."""


class Api:
    """Requests as they go over the wire, so that no client library repairs them.

    Args:
        url: the server's, as http://127.0.0.1:8080/v1.
        key: the bearer key, if any.
        timeout: seconds, for each attempt.
    """

    def __init__(self, url: str, key: str | None = None, *, timeout: float = 10.0) -> None:
        self.url, self.key, self.timeout = url.rstrip("/"), key, timeout
        self.errors: Counter[str] = Counter()
        self._silences = 0

    def ask(self, path: str, body: Any = None, **more: Any) -> tuple[int, bytes]:
        """Status and body of a reply, status 0 where there is none; a busy server is asked again."""
        status, text, wait = 0, b"", 0.0
        for attempt in range(_ATTEMPTS):
            if self._silences >= _MOST_SILENCES:
                self.errors["not asked, it had been silent"] += 1
                break
            status, text, wait = self._once(path, body, **more)
            if status not in _BUSY:
                break
            self.errors[f"http_{status}" if status else "no_reply"] += 1
            if attempt < _ATTEMPTS - 1:
                time.sleep(min(wait, _LONGEST_WAIT))
        return status, text

    def _once(
        self, path: str, body: Any, *, raw: bytes | None = None, key: str | None = None, **headers: str
    ) -> tuple[int, bytes, float]:
        sent = raw if raw is not None else None if body is None else json.dumps(body).encode()
        headers = {name.replace("_", "-"): value for name, value in headers.items()} | {
            "content-type": "application/json"
        }
        if key or self.key:
            headers["authorization"] = f"Bearer {key or self.key}"
        request = urllib.request.Request(self.url + path, data=sent, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=self.timeout) as reply:
                return reply.status, _read(reply, self.timeout), 0.0
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _rest(error, self.timeout), _seconds(error.headers.get("retry-after"))
        except (OSError, http.client.HTTPException) as error:
            self._silences += isinstance(getattr(error, "reason", error), TimeoutError)
            return 0, b"", 0.1

    def json(self, path: str, body: Any = None) -> Any:
        """The reply to a request that must succeed."""
        status, text = self.ask(path, body)
        if status in _ABSENT:
            raise _UntestedError(f"the target has no {path} (status {status})")
        if status != 200:
            raise _Wrong(_said(status))
        return json.loads(text)


def _read(reply: Any, timeout: float) -> bytes:
    """The body, within a time for all of it: a server may send a byte now and then for ever."""
    until, body = time.monotonic() + timeout, bytearray()
    while piece := reply.read1(1 << 16):
        body += piece
        if len(body) > _LARGEST:
            raise http.client.IncompleteRead(b"", None)
        if time.monotonic() > until:
            raise TimeoutError
    return bytes(body)


def _rest(error: urllib.error.HTTPError, timeout: float) -> bytes:
    try:
        return _read(error.fp, timeout)
    except (OSError, http.client.HTTPException):
        return b""


def _seconds(text: str | None) -> float:
    try:
        return max(0.0, float(text or 0.1))
    except ValueError:
        return 0.1


def _said(status: int) -> str:
    return f"status {status}" if status else "no reply"


def checks(api: Api, model: str) -> Iterator[Check]:
    """Each thing that must hold of the server's answers.

    Args:
        api: the server.
        model: what to ask of it.
    """
    for name, check in _answers(api, model):
        yield _made(name, "checks", check)
    for name, check in _refusals(api, model):
        yield _made(name, "refusals", check)
    yield _made("and then all is well", "checks", lambda: _must_answer(api, {"model": model, "messages": _QUESTION}))


def _made(name: str, metric: str, check: Callable[[], object]) -> Check:
    try:
        check()
    except _UntestedError as reason:
        return Check(name, metric, None, str(reason))
    except _Wrong as reason:
        return Check(name, metric, False, str(reason))
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        return Check(name, metric, False, f"the reply is not of OpenAI's shape ({type(error).__name__}: {error})"[:200])
    return Check(name, metric, True)


def _must(holds: object, otherwise: str) -> None:
    if not holds:
        raise _Wrong(otherwise)


def _must_answer(api: Api, chat: dict[str, Any], **headers: str) -> None:
    status, text = api.ask("/chat/completions", chat, **headers)
    _must(status == 200, _said(status))
    _must(json.loads(text)["choices"][0]["message"]["content"], "the answer is empty")


def _answers(api: Api, model: str) -> Iterator[tuple[str, Callable[[], object]]]:
    chat = {"model": model, "messages": _QUESTION}

    def listed() -> None:
        names = [row["id"] for row in api.json("/models")["data"]]
        _must(model in names, f"{model!r} is not among its {len(names)} models")

    def counts() -> None:
        usage = api.json("/chat/completions", chat).get("usage")
        _must(usage, "the reply has no usage: what it costs can only be estimated")
        _must(usage["prompt_tokens"] > 0 and usage["completion_tokens"] > 0, f"the usage is {usage}")

    yield "models lists the model", listed
    yield "chat answers", lambda: _must_answer(api, chat)
    yield "chat counts tokens", counts
    yield "a stream has text and ends with [DONE]", lambda: _stream(api, chat)
    yield "a stream counts tokens", lambda: _stream_usage(api, chat)
    for size in (1, 10_000, 200_000):
        sized = {**chat, "messages": [{"role": "user", "content": "s" * size}], "max_tokens": 16}
        yield f"{size} characters", partial(_must_answer, api, sized)
    for priority in ("critical", "high", "normal", "low"):
        yield f"priority {priority}", partial(_must_answer, api, chat, x_headrace_priority=priority)
    yield "an embedding for each text", lambda: _embeddings(api)


def _events(api: Api, chat: dict[str, Any]) -> list[str]:
    status, text = api.ask("/chat/completions", {**chat, "stream": True, "stream_options": {"include_usage": True}})
    _must(status == 200, _said(status))
    return [line[5:].strip() for line in text.decode().splitlines() if line.startswith("data:")]


def _stream(api: Api, chat: dict[str, Any]) -> None:
    events = _events(api, chat)
    _must(events[-1:] == ["[DONE]"], "the stream ended without [DONE]")
    pieces = [json.loads(event)["choices"] for event in events[:-1]]
    _must("".join(c[0]["delta"].get("content") or "" for c in pieces if c), "the stream has no text")


def _stream_usage(api: Api, chat: dict[str, Any]) -> None:
    if not any(json.loads(event).get("usage") for event in _events(api, chat) if event != "[DONE]"):
        raise _UntestedError("streams have no usage, though asked for by stream_options: their costs are estimates")


def _embedder(api: Api) -> str:
    try:
        names = [row["id"] for row in api.json("/models")["data"]]
    except (_UntestedError, _Wrong):
        names = []
    return next((name for name in names if "embed" in name), "text-embedding-3-small")


def _embeddings(api: Api) -> None:
    embedder = _embedder(api)
    rows = api.json("/embeddings", {"model": embedder, "input": ["scope 1", "scope 2"]})["data"]
    _must([row["index"] for row in rows] == [0, 1] and rows[0]["embedding"], f"two texts gave {len(rows)} embeddings")


def _refusals(api: Api, model: str) -> Iterator[tuple[str, Callable[[], object]]]:
    chat = {"model": model, "messages": _QUESTION}
    bad = {
        "no JSON": b"{not json",
        "a list": b"[]",
        "no messages": json.dumps({"model": model, "messages": []}).encode(),
        "a hot temperature": json.dumps({**chat, "temperature": "hot"}).encode(),
        "an unknown model": json.dumps({**chat, "model": "no-such-model"}).encode(),
    }

    def refused(raw: bytes) -> None:
        status, text = api.ask("/chat/completions", raw=raw)
        _must(400 <= status < 500, f"it was answered with {_said(status)}")
        _must(b"error" in text or b"detail" in text, "the refusal does not say why")

    def status_of(wanted: tuple[int, ...], *asked: Any, **more: Any) -> None:
        status, _ = api.ask(*asked, **more)
        _must(status in wanted, f"it was answered with {_said(status)}")

    def wrong_key() -> None:
        if not api.key:
            raise _UntestedError("no key was given (HEADRACE_TARGET_KEY), so none can be wrong")
        status_of((401, 403), "/chat/completions", chat, key="wrong")

    def nothing() -> None:
        embedder = _embedder(api)
        status, _ = api.ask("/embeddings", {"model": embedder, "input": []})
        if status in _ABSENT:
            raise _UntestedError(f"the target has no /embeddings (status {status})")
        _must(400 <= status < 500, f"it was answered with {_said(status)}")

    for name, raw in bad.items():
        yield f"{name} is refused, and said why", partial(refused, raw)
    yield "no embedding for nothing", nothing
    yield "an unknown path", lambda: status_of((404, 405), "/no-such-path")
    yield "a wrong key is refused", wrong_key
