"""LangChain in this process, without a server: its chat model before a client, and its cache of answers.

Needs the extra ``langchain``: ``pip install 'headrace[langchain]'``.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from headrace._extras import need
from headrace.cache import SemanticCache
from headrace.transport import httpx_transport

if TYPE_CHECKING:
    from collections.abc import Iterable

    from langchain_core.outputs import Generation
    from langchain_openai import ChatOpenAI

    from headrace.cache import CacheHit
    from headrace.client import Client

_messages = need("langchain_core.messages", "langchain", "headrace.langchain")
_outputs = need("langchain_core.outputs", "langchain", "headrace.langchain")
_BaseCache: Any = need("langchain_core.caches", "langchain", "headrace.langchain").BaseCache

__all__ = ["AnswerCache", "chat_model"]


def chat_model(client: Client, model: str, **options: Any) -> ChatOpenAI:
    """Make LangChain's ``ChatOpenAI`` whose calls a client of this process answers, with its queue, cache and budgets.

    Streams, tools, ``with_structured_output``, ``batch`` and the asynchronous twins work as with a server.

    Args:
        client: the client that is asked; closing it is up to you.
        model: a model of any of the client's providers, or a route.
        options: of ``ChatOpenAI``: ``temperature``, ``max_tokens``, ``extra_body={"tenant": ...}``, ...

    Returns:
        The chat model. It does not retry: the client does.

    Raises:
        ConfigError: ``langchain-openai`` is not installed.

    >>> import headrace
    >>> client = headrace.Client(headrace.providers.Simulated(time_to_first_token=0))
    >>> chat_model(client, "simulated/echo").invoke("Which scope is travel?").content
    'Which scope is travel?'
    """
    openai = need("openai", "langchain", "headrace.langchain.chat_model()")
    made = need("langchain_openai", "langchain", "headrace.langchain.chat_model()").ChatOpenAI
    transport = httpx_transport(client)
    options = {
        "api_key": "unused",
        "base_url": "http://headrace/v1",
        "max_retries": 0,
        "stream_usage": True,
        "http_client": openai.DefaultHttpxClient(transport=transport),
        "http_async_client": openai.DefaultAsyncHttpxClient(transport=transport),
        **options,
    }
    chat: ChatOpenAI = made(model=model, **options)
    return chat


class AnswerCache(_BaseCache):  # type: ignore[misc]
    """LangChain's cache of answers, kept in a `SemanticCache`: ``set_llm_cache(AnswerCache(cache))``.

    The text of the last message is the question. All else must be equal: the model, its settings, the messages before.
    A conversation that does not end in a person's text is answered by its equal alone.

    Args:
        cache: what holds the answers: in memory, in a file or in Redis.

    >>> from langchain_core.outputs import Generation
    >>> answers = AnswerCache(SemanticCache())
    >>> answers.update("What is scope 2?", "model=a", [Generation(text="Purchased energy.")])
    >>> answers.lookup("What is scope 2?", "model=a")[0].text, answers.lookup("What is scope 2?", "model=b")
    ('Purchased energy.', None)
    """

    def __init__(self, cache: SemanticCache) -> None:
        self._cache = cache

    def lookup(self, prompt: str, llm_string: str) -> list[Generation] | None:
        """Find the answer that serves a prompt, or None."""
        question, scope = _question(prompt, llm_string)
        return _answer(self._cache.get(question, scope=scope))

    async def alookup(self, prompt: str, llm_string: str) -> list[Generation] | None:
        """As `lookup`, without blocking the event loop."""
        question, scope = _question(prompt, llm_string)
        return _answer(await self._cache.aget(question, scope=scope))

    def update(self, prompt: str, llm_string: str, return_val: Any) -> None:
        """Keep the answer to a prompt."""
        question, scope = _question(prompt, llm_string)
        self._cache.put(question, _kept(return_val), scope=scope)

    async def aupdate(self, prompt: str, llm_string: str, return_val: Any) -> None:
        """As `update`, without blocking the event loop."""
        question, scope = _question(prompt, llm_string)
        await self._cache.aput(question, _kept(return_val), scope=scope)

    def clear(self, **_: Any) -> None:
        """Forget all answers."""
        self._cache.clear()

    async def aclear(self, **_: Any) -> None:
        """As `clear`, without blocking the event loop."""
        await self._cache.aclear()


def _question(prompt: str, llm_string: str) -> tuple[str, list[Any]]:
    """What is asked, and what must be equal. A chat model's prompt is a list of messages in LangChain's JSON."""
    try:
        messages = json.loads(prompt)
        *before, last = messages
        text = last["kwargs"]["content"]
        is_asked = last["id"][-1] == "HumanMessage" and isinstance(text, str) and bool(text.strip())
    except (ValueError, TypeError, LookupError):
        return prompt, [llm_string]
    if is_asked:
        last["kwargs"]["content"] = ""
        return text, [llm_string, *before, last]
    return prompt, [llm_string, prompt]


def _kept(answer: Iterable[Generation]) -> list[dict[str, Any]]:
    """An answer as JSON. LangChain's own reader of its JSON is in beta, and can make objects of other kinds."""
    return [
        {"message": _messages.message_to_dict(one.message), "info": one.generation_info}
        if isinstance(one, _outputs.ChatGeneration)
        else {"text": one.text, "info": one.generation_info}
        for one in answer
    ]


def _answer(hit: CacheHit | None) -> list[Generation] | None:
    if hit is None:
        return None
    kept: Any = hit.response
    return [
        _outputs.ChatGeneration(message=_messages.messages_from_dict([one["message"]])[0], generation_info=one["info"])
        if "message" in one
        else _outputs.Generation(text=one["text"], generation_info=one["info"])
        for one in kept
    ]
