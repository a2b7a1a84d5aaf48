from collections.abc import Mapping, Sequence
from datetime import timedelta
from types import TracebackType
from typing import Any, TypeAlias

from typing_extensions import Self, disjoint_base, final

_Seconds: TypeAlias = float | timedelta
_Faults: TypeAlias = Mapping[str, Any]

@final
class KnownProvider:
    """A provider that is known by name.

    Attributes:
        name: what stands before the slash of its models, as in `openai`.
        title: the name as its makers write it.
        base_url: its address; empty where every customer has one of their own.
        protocol: what it speaks, `openai_chat`, `anthropic` or `gemini`.
        key_variables: the environment variables that may hold its key, the usual one first; empty for a local server.
    """

    @property
    def name(self) -> str:
        """What stands before the slash of its models, as in `openai`."""
    @property
    def title(self) -> str:
        """The name as its makers write it."""
    @property
    def base_url(self) -> str:
        """Its address; empty where every customer has one of their own."""
    @property
    def protocol(self) -> str:
        """What it speaks, `openai_chat`, `anthropic` or `gemini`."""
    @property
    def key_variables(self) -> tuple[str, ...]:
        """The environment variables that may hold its key, the usual one first; empty for a local server."""

def known() -> tuple[KnownProvider, ...]:
    """The providers that are known by name, the cloud's before the local ones."""

@disjoint_base
class HttpProvider:
    """A provider that is asked over HTTP.

    Args:
        name: what stands before the slash of its models.
        row: the name of a provider that is known by name, whose address, protocol and habits are taken; None for a
            server that speaks OpenAI's chat.
        base_url: the URL before the protocol's path; None for that of `row`.
        api_key: its key; it is never shown, logged or pickled.
        protocol: what the server speaks: `openai_chat`, `openai_responses`, `anthropic` or `gemini`; None for that of
            `row`.
        headers: sent with every request, before the provider's own; their values are never shown.
        connect_timeout: seconds, or a timedelta, until a connection must be made; None for 10.
        read_timeout: seconds, or a timedelta, that the server may send nothing; None for 120.
        first_token_timeout: seconds, or a timedelta, that a stream may take to its first word; None is no limit.
        total_timeout: seconds, or a timedelta, that a request may take, its reply to the end; None is no limit.

    Raises:
        ConfigError: the name has a slash, `row` or `protocol` is unknown, the URL is none or holds a key, or the key or
            a header has a line break or a character in it that cannot be sent.
    """

    def __new__(
        cls,
        name: str,
        *,
        row: str | None = None,
        base_url: str | None = None,
        api_key: str | None = None,
        protocol: str | None = None,
        headers: dict[str, str] | None = None,
        connect_timeout: _Seconds | None = None,
        read_timeout: _Seconds | None = None,
        first_token_timeout: _Seconds | None = None,
        total_timeout: _Seconds | None = None,
    ) -> Self: ...
    @property
    def name(self) -> str:
        """What stands before the slash of its models."""
    @property
    def base_url(self) -> str:
        """The URL before the protocol's path, as it may be shown."""

@final
class Simulated:
    """The simulated provider inside the process: seeded, it costs nothing and needs no network.

    It answers as OpenAI's chat does. `n=` gives so many answers, `reasoning_effort=` gives reasoning, and
    `tool_choice="required"` or the name of a function gives a tool call.

    Args:
        seed: what the faults and the pauses are drawn from.
        time_to_first_token: seconds, or a timedelta, until the answer starts.
        tokens_per_second: how fast it goes on; 0 for no pause.
        requests_per_minute: how many it takes before it answers 429; None for any number.
        retry_after: what a 429 asks to wait.
        stall: how late a stalled reply comes.
        faults: which requests fail, `{"rates": {"rate_limit": 0.1}, "schedule": [{"fault": "reset", "from": 0,
            "until": 3}]}`; the faults are rate_limit, server_error, unavailable, reset, stall, truncate, malformed,
            stream_error, no_usage.
    """

    def __new__(
        cls,
        *,
        seed: int = 0,
        time_to_first_token: _Seconds | None = None,
        tokens_per_second: float = 2000.0,
        requests_per_minute: int | None = None,
        retry_after: _Seconds | None = None,
        stall: _Seconds | None = None,
        faults: _Faults | None = None,
    ) -> Self: ...
    @property
    def name(self) -> str:
        """`simulated`, the name before the slash of its models."""
    @property
    def models(self) -> list[str]:
        """Its models, as `provider/model`."""
    @property
    def requests(self) -> int:
        """How many requests it has had."""
    def set_faults(self, faults: _Faults) -> None:
        """Say anew which requests fail."""

@final
class SimulatedServer:
    """The simulated provider as an HTTP server on the loopback, which speaks OpenAI's API and Anthropic's Messages.

    Args:
        port: where it listens; 0 takes a free one.
        seed: as for `Simulated`, like all that is not named here.
        api_keys: the keys it takes; any where empty.
    """

    def __new__(
        cls,
        port: int = 0,
        *,
        seed: int = 0,
        time_to_first_token: _Seconds | None = None,
        tokens_per_second: float = 2000.0,
        requests_per_minute: int | None = None,
        retry_after: _Seconds | None = None,
        stall: _Seconds | None = None,
        faults: _Faults | None = None,
        api_keys: Sequence[str] = ...,
    ) -> Self: ...
    @property
    def url(self) -> str:
        """What to give as `base_url`."""
    @property
    def requests(self) -> int:
        """How many requests it has had; 0 once it is closed."""
    def set_faults(self, faults: _Faults) -> None:
        """Say anew which requests fail."""
    def close(self) -> None:
        """Stop it."""
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        *_exception: type[BaseException] | BaseException | TracebackType | None,
    ) -> None: ...
