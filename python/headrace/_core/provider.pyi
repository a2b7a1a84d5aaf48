from collections.abc import Mapping, Sequence
from datetime import timedelta
from types import TracebackType
from typing import Any, TypeAlias

from typing_extensions import Self, disjoint_base, final

_Seconds: TypeAlias = float | timedelta
_Faults: TypeAlias = Mapping[str, Any]

@disjoint_base
class OpenAICompatible:
    def __new__(
        cls,
        base_url: str,
        *,
        name: str,
        api_key: str | None = None,
        connect_timeout: _Seconds | None = None,
        read_timeout: _Seconds | None = None,
    ) -> Self: ...
    @property
    def name(self) -> str:
        """The name before the slash of its models."""
    @property
    def base_url(self) -> str:
        """The URL before `/chat/completions`."""

@final
class Simulated:
    """The simulated provider inside the process: seeded, it costs nothing and needs no network.

    Args:
        seed: what the faults and the pauses are drawn from.
        time_to_first_token: seconds, or a timedelta, until the answer starts.
        tokens_per_second: how fast it goes on; 0 for no pause.
        requests_per_minute: how many it takes before it answers 429; None for any number.
        retry_after: what a 429 asks to wait.
        stall: how late a stalled reply comes.
        faults: which requests fail, `{"rates": {"rate_limit": 0.1}, "schedule": [{"fault": "reset", "from": 0,
            "until": 3}]}`; the faults are rate_limit, server_error, unavailable, reset, stall, truncate, malformed.
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
    """The simulated provider as an HTTP server on the loopback, which speaks OpenAI's API.

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
