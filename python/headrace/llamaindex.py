"""LlamaIndex in this process, without a server: an LLM whose calls a client answers.

Needs the extra ``llamaindex``: ``pip install 'headrace[llamaindex]'``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headrace._core.cost import PriceTable
from headrace._extras import need
from headrace._llamaindex import Pieces, messages_of, told
from headrace.errors import UnknownModel

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from llama_index.core.base.llms.types import ChatMessage, ChatResponse, CompletionResponse, LLMMetadata
    from llama_index.core.llms.llm import ToolSelection
    from llama_index.core.tools import BaseTool

    from headrace.client import ChatStream, Client

_callbacks: Any = need("llama_index.core.llms.callbacks", "llamaindex", "headrace.llamaindex")
_generic: Any = need("llama_index.core.base.llms.generic_utils", "llamaindex", "headrace.llamaindex")
_llm: Any = need("llama_index.core.llms.llm", "llamaindex", "headrace.llamaindex")
_pydantic: Any = need("llama_index.core.bridge.pydantic", "llamaindex", "headrace.llamaindex")
_types: Any = need("llama_index.core.base.llms.types", "llamaindex", "headrace.llamaindex")
_utils: Any = need("llama_index.core.llms.utils", "llamaindex", "headrace.llamaindex")
_Base: Any = need("llama_index.core.llms.function_calling", "llamaindex", "headrace.llamaindex").FunctionCallingLLM

__all__ = ["ClientLLM"]

# What LlamaIndex and OpenAI call the same choices of a tool.
_CHOICES = {"auto": "auto", "none": "none", "required": "required", "any": "required"}


class ClientLLM(_Base):  # type: ignore[misc]
    """LlamaIndex's LLM whose calls a client of this process answers, with its queue, cache and budgets.

    Chat, completion, streams, tools, agents, ``structured_predict`` and the asynchronous twins work. The tokens, the
    cost and how the cache answered are in ``additional_kwargs`` of a response.

    Args:
        client: the client that is asked; closing it is up to you.
        model: a model of any of the client's providers, or a route.
        context_window: tokens that the model reads at most; None for what the price list says, or LlamaIndex's default.
        num_output: tokens that an answer is reckoned with, for how much LlamaIndex puts into a prompt.
        is_function_calling_model: whether it takes tools; None for what the price list says, or True where none has it.
        params: for every call, as for `Client.chat`: ``temperature``, ``max_tokens``, ``tenant``, ``priority``, ...

    Raises:
        ConfigError: ``llama-index-core`` is not installed.

    >>> import headrace
    >>> client = headrace.Client(headrace.providers.Simulated(time_to_first_token=0))
    >>> ClientLLM(client, "simulated/echo").complete("Which scope is travel?").text
    'Which scope is travel?'
    """

    model: str
    context_window: int
    num_output: int
    is_function_calling_model: bool
    params: dict[str, Any]
    _client: Any = _pydantic.PrivateAttr()

    def __init__(
        self,
        client: Client,
        model: str,
        *,
        context_window: int | None = None,
        num_output: int | None = None,
        is_function_calling_model: bool | None = None,
        callback_manager: Any = None,
        **params: Any,
    ) -> None:
        known = _known(model)
        usual = _types.LLMMetadata()
        if is_function_calling_model is None:
            is_function_calling_model = not known or "function_calling" in known["abilities"]
        super().__init__(
            model=model,
            context_window=context_window or known.get("context") or usual.context_window,
            num_output=num_output or params.get("max_tokens") or usual.num_output,
            is_function_calling_model=is_function_calling_model,
            params=params,
            **({"callback_manager": callback_manager} if callback_manager else {}),
        )
        self._client = client

    @classmethod
    def class_name(cls) -> str:
        """The name under which LlamaIndex writes it down."""
        return "headrace_client_llm"

    @property
    def metadata(self) -> LLMMetadata:
        """What LlamaIndex may ask of it: how much it reads, and whether it takes tools."""
        made: LLMMetadata = _types.LLMMetadata(
            context_window=self.context_window,
            num_output=self.num_output,
            is_chat_model=True,
            is_function_calling_model=self.is_function_calling_model,
            model_name=self.model,
        )
        return made

    @_callbacks.llm_chat_callback()  # type: ignore[untyped-decorator]
    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Ask for the answer to a conversation."""
        return self._chat(messages, **kwargs)

    @_callbacks.llm_chat_callback()  # type: ignore[untyped-decorator]
    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """As `chat`, to be awaited."""
        return await self._achat(messages, **kwargs)

    @_callbacks.llm_chat_callback()  # type: ignore[untyped-decorator]
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> Iterator[ChatResponse]:
        """Ask for the answer to a conversation, piece by piece; left early, the provider is told to stop."""
        return self._stream_chat(messages, **kwargs)

    @_callbacks.llm_chat_callback()  # type: ignore[untyped-decorator]
    async def astream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> AsyncIterator[ChatResponse]:
        """As `stream_chat`, to be awaited."""
        return await self._astream_chat(messages, **kwargs)

    @_callbacks.llm_completion_callback()  # type: ignore[untyped-decorator]
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """Ask for the answer to a text, as to a user's message."""
        del formatted
        answer: CompletionResponse = _generic.chat_to_completion_decorator(self._chat)(prompt, **kwargs)
        return answer

    @_callbacks.llm_completion_callback()  # type: ignore[untyped-decorator]
    async def acomplete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """As `complete`, to be awaited."""
        del formatted
        answer: CompletionResponse = await _generic.achat_to_completion_decorator(self._achat)(prompt, **kwargs)
        return answer

    @_callbacks.llm_completion_callback()  # type: ignore[untyped-decorator]
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Iterator[CompletionResponse]:
        """Ask for the answer to a text, piece by piece."""
        del formatted
        answer: Iterator[CompletionResponse]
        answer = _generic.stream_chat_to_completion_decorator(self._stream_chat)(prompt, **kwargs)
        return answer

    @_callbacks.llm_completion_callback()  # type: ignore[untyped-decorator]
    async def astream_complete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> AsyncIterator[CompletionResponse]:
        """As `stream_complete`, to be awaited."""
        del formatted
        answer: AsyncIterator[CompletionResponse]
        answer = await _generic.astream_chat_to_completion_decorator(self._astream_chat)(prompt, **kwargs)
        return answer

    def get_tool_calls_from_response(
        self, response: ChatResponse, error_on_no_tool_call: bool = True, **kwargs: Any
    ) -> list[ToolSelection]:
        """The tools that an answer asks for; of one that still comes, with the arguments as far as they can be read.

        Args:
            response: the answer.
            error_on_no_tool_call: whether it is an error that it asks for none.
            kwargs: not read.

        Raises:
            ValueError: it asks for none.
        """
        del kwargs
        found = [
            _llm.ToolSelection(
                tool_id=block.tool_call_id or "",
                tool_name=block.tool_name,
                tool_kwargs=_arguments(block.tool_kwargs),
            )
            for block in response.message.blocks
            if isinstance(block, _types.ToolCallBlock)
        ]
        if not found and error_on_no_tool_call:
            raise ValueError(f"{self.model} asked for no tool: give tool_required=True, or error_on_no_tool_call=False")
        return found

    def _prepare_chat_with_tools(
        self,
        tools: Sequence[BaseTool],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        verbose: bool = False,
        allow_parallel_tool_calls: bool = False,
        tool_required: bool = False,
        tool_choice: str | dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        del verbose
        asked = _types.ChatMessage(role="user", content=user_msg) if isinstance(user_msg, str) else user_msg
        messages = [*(chat_history or []), *([asked] if asked is not None else [])]
        if not tools:
            return {"messages": messages, **kwargs}
        specs = [tool.metadata.to_openai_tool(skip_length_check=True) for tool in tools]
        if isinstance(tool_choice, str):
            named = {"type": "function", "function": {"name": tool_choice}}
            tool_choice = _CHOICES.get(tool_choice, named)
        chosen = tool_choice or ("required" if tool_required else "auto")
        alone = {} if allow_parallel_tool_calls else {"parallel_tool_calls": False}
        return {"messages": messages, "tools": specs, "tool_choice": chosen, **alone, **kwargs}

    def _validate_chat_with_tools_response(
        self,
        response: ChatResponse,
        tools: Sequence[BaseTool],
        allow_parallel_tool_calls: bool = False,
        **kwargs: Any,
    ) -> ChatResponse:
        """Where one tool was allowed, it is the first that the model asked for: not all keep to it."""
        del tools, kwargs
        message = response.message
        calls = [block for block in message.blocks if isinstance(block, _types.ToolCallBlock)]
        if not allow_parallel_tool_calls and len(calls) > 1:
            message.blocks = [block for block in message.blocks if block not in calls[1:]]
            message.additional_kwargs["tool_calls"] = message.additional_kwargs["tool_calls"][:1]
        return response

    def _chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        return told(self._client.chat(self.model, messages_of(messages), **{**self.params, **kwargs}))

    async def _achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        return told(await self._client.achat(self.model, messages_of(messages), **{**self.params, **kwargs}))

    def _stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> Iterator[Any]:
        return _pieces(self._client.stream(self.model, messages_of(messages), **{**self.params, **kwargs}))

    async def _astream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> AsyncIterator[Any]:
        return _apieces(await self._client.astream(self.model, messages_of(messages), **{**self.params, **kwargs}))


def _known(model: str) -> dict[str, Any]:
    """What the price list knows of a model; nothing of a route or a model of one's own."""
    try:
        return PriceTable.builtin().info(model)
    except UnknownModel:
        return {}


def _arguments(given: dict[str, Any] | str) -> dict[str, Any]:
    if not isinstance(given, str):
        return given
    try:
        read = _utils.parse_partial_json(given)
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}


def _pieces(stream: ChatStream) -> Iterator[Any]:
    said = Pieces()
    with stream:
        for chunk in stream:
            if (piece := said.add(chunk)) is not None:
                yield piece
        if stream.response is not None:
            yield _last(told(stream.response))


async def _apieces(stream: ChatStream) -> AsyncIterator[Any]:
    said = Pieces()
    async with stream:
        async for chunk in stream:
            if (piece := said.add(chunk)) is not None:
                yield piece
        if stream.response is not None:
            yield _last(told(stream.response))


def _last(answer: Any) -> Any:
    """The whole answer at the end of its stream: it adds no word, and has the tokens and the cost."""
    answer.delta = ""
    return answer
