"""What LlamaIndex and a client say to each other: its messages as those of the call, answers as its responses."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from headrace._extras import need

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llama_index.core.base.llms.types import ChatResponse

    from headrace._core.client import Chunk, Response

_types: Any = need("llama_index.core.base.llms.types", "llamaindex", "headrace.llamaindex")

# Where the roles of LlamaIndex have other names than those of a call.
_ROLES = {"chatbot": "assistant", "model": "assistant", "function": "tool"}


def messages_of(messages: Sequence[Any]) -> list[dict[str, Any]]:
    """LlamaIndex's messages as those of a call."""
    return [_message(one) for one in messages]


def _message(one: Any) -> dict[str, Any]:
    role = _ROLES.get(one.role.value, one.role.value)
    told: dict[str, Any] = {"role": role}
    parts = [part for block in one.blocks if (part := _part(block)) is not None]
    if parts:
        is_text = all(part["type"] == "text" for part in parts)
        told["content"] = "\n".join(part["text"] for part in parts) if is_text else parts
    if role == "tool":
        told.setdefault("content", "")
        told["tool_call_id"] = one.additional_kwargs.get("tool_call_id", "")
    if role == "assistant":
        calls = [_call(block) for block in one.blocks if isinstance(block, _types.ToolCallBlock)]
        # Messages that were kept by older versions have them here alone.
        if calls := calls or one.additional_kwargs.get("tool_calls") or []:
            told["tool_calls"] = calls
        thoughts = [block.content for block in one.blocks if isinstance(block, _types.ThinkingBlock) and block.content]
        if thoughts:
            told["reasoning_content"] = "\n".join(thoughts)
    if role != "assistant" or not ({"tool_calls", "reasoning_content"} & told.keys()):
        told.setdefault("content", "")
    return told


def _part(block: Any) -> dict[str, Any] | None:
    """What a block is in the content of a message; None for what stands beside the content."""
    if isinstance(block, _types.TextBlock):
        return {"type": "text", "text": block.text}
    if isinstance(block, _types.ToolCallBlock | _types.ThinkingBlock):
        return None
    if isinstance(block, _types.ImageBlock):
        # Bytes are sent along; an address is the provider's to read.
        image = {"url": str(block.url) if block.url else block.inline_url()}
        return {"type": "image_url", "image_url": image | ({"detail": block.detail} if block.detail else {})}
    if isinstance(block, _types.AudioBlock):
        data = str(block.resolve_audio(as_base64=True).read(), "ascii")
        return {"type": "input_audio", "input_audio": {"data": data, "format": block.format or "mp3"}}
    if isinstance(block, _types.DocumentBlock):
        data = str(base64.b64encode(block.resolve_document().read()), "ascii")
        address = f"data:{block.document_mimetype or 'application/pdf'};base64,{data}"
        return {"type": "file", "file": {"filename": block.title, "file_data": address}}
    kind = type(block).__name__
    raise ValueError(
        f"a message has a {kind}, which no call can carry: give text, images, audio, documents or tool calls"
    )


def _call(block: Any) -> dict[str, Any]:
    given = block.tool_kwargs
    arguments = given if isinstance(given, str) else json.dumps(given)
    return {
        "id": block.tool_call_id or "",
        "type": "function",
        "function": {"name": block.tool_name, "arguments": arguments},
    }


def told(response: Response) -> ChatResponse:
    """An answer as LlamaIndex's, with the tokens where its counters look for them, and what it cost."""
    calls = [one.to_dict() for one in response.tool_calls]
    message = _answer(response.text or response.refusal or "", response.reasoning, calls)
    usage = response.usage
    facts = {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "cost": str(response.cost),
        "saved_cost": str(response.saved_cost),
        "cache": response.cache,
        "model": response.model,
    }
    answer: ChatResponse = _types.ChatResponse(message=message, raw=response.raw, additional_kwargs=facts)
    return answer


class Pieces:
    """The pieces of an answer so far: LlamaIndex tells with each one what was said before it too."""

    def __init__(self) -> None:
        self._text, self._reasoning = "", ""
        self._calls: dict[int, dict[str, Any]] = {}

    def add(self, chunk: Chunk) -> Any:
        """The answer with a further chunk in it; None where the chunk is of another choice."""
        if chunk.choice != 0:
            return None
        self._text += chunk.text
        self._reasoning += chunk.reasoning
        if chunk.tool_call is not None:
            self._calls[_place(chunk)] = chunk.tool_call.to_dict()
        elif chunk.arguments and (begun := self._calls.get(_place(chunk))):
            begun["function"]["arguments"] += chunk.arguments
        message = _answer(self._text, self._reasoning, [self._calls[place] for place in sorted(self._calls)])
        facts = {"thinking_delta": chunk.reasoning} if chunk.reasoning else {}
        return _types.ChatResponse(message=message, delta=chunk.text, raw=chunk.raw, additional_kwargs=facts)


def _place(chunk: Chunk) -> int:
    """Which of the tool calls it belongs to: some models write several at once."""
    place: int = chunk.raw["choices"][0]["delta"]["tool_calls"][0]["index"]
    return place


def _answer(text: str, reasoning: str, calls: list[dict[str, Any]]) -> Any:
    blocks: list[Any] = []
    if reasoning:
        blocks.append(_types.ThinkingBlock(content=reasoning))
    if text or not calls:
        blocks.append(_types.TextBlock(text=text))
    for call in calls:
        function = call["function"]
        blocks.append(
            _types.ToolCallBlock(tool_call_id=call["id"], tool_name=function["name"], tool_kwargs=function["arguments"])
        )
    # Its reader of streamed objects looks here, all others at the blocks.
    kept = {"tool_calls": [dict(call, function=dict(call["function"])) for call in calls]} if calls else {}
    return _types.ChatMessage(role=_types.MessageRole.ASSISTANT, blocks=blocks, additional_kwargs=kept)
