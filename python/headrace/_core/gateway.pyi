from collections.abc import Awaitable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeAlias

from typing_extensions import Self, disjoint_base, final

from .client import Client

_Seconds: TypeAlias = float | timedelta
_Headers: TypeAlias = Sequence[tuple[bytes, bytes]]

def read_config(text: str, name: str) -> dict[str, Any]:
    """Read a configuration file.

    Args:
        text: what the file holds, as TOML.
        name: the file's name, for messages.

    Returns:
        Every section as a dict, with the defaults of what is not given.

    Raises:
        ConfigError: a key is unknown or has no valid value: with its line and column.
    """

@disjoint_base
class Server:
    """A client as an HTTP endpoint, for any client of OpenAI's or Anthropic's.

    It serves `POST /v1/chat/completions`, `/v1/responses`, `/v1/messages`, `/v1/messages/count_tokens` and
    `/v1/embeddings`, `GET /v1/models`, `/v1/headrace/costs`, `/v1/headrace/queue`, `/v1/headrace/cache`, `/metrics`,
    `/healthz` and `/readyz`, from the moment that it is made.

    Args:
        client: the client that is asked.
        host: the name or address where it listens. One that others can reach needs keys.
        port: where it listens; 0 takes a free one.
        keys: the file of the keys that may ask, `sqlite:///FILE`, as `headrace.keys.KeyRing` writes it; None lets every
            program of this machine ask.
        max_body_bytes: the largest request; None for 32 MiB.
        max_connections: the most connections at once; None for 4096. More wait.
        header_timeout: seconds, or a timedelta, that the headers of a request may take; None for 60.
        body_timeout: seconds, or a timedelta, that the body of a request may take; None for 30.
        answer_timeout: seconds, or a timedelta, that an answer may take in all; None for 600.

    Raises:
        ConfigError: the place cannot be listened at, or others could reach it and there are no keys.
        StoreError: the file of the keys cannot be read.
    """

    def __new__(
        cls,
        client: Client,
        host: str = "127.0.0.1",
        port: int = 0,
        keys: str | None = None,
        *,
        max_body_bytes: int | None = None,
        max_connections: int | None = None,
        header_timeout: _Seconds | None = None,
        body_timeout: _Seconds | None = None,
        answer_timeout: _Seconds | None = None,
    ) -> Self: ...
    @property
    def url(self) -> str:
        """The root, as in `http://127.0.0.1:8080`: what Anthropic's client takes; OpenAI's takes `url + "/v1"`."""
    def use_client(self, client: Client) -> None:
        """Ask another client from now on; what runs is finished by the one before."""
    def _stale(self) -> None: ...
    def close(self, timeout: _Seconds | None = None) -> bool:
        """Take no new connection, and finish what runs.

        Args:
            timeout: seconds, or a timedelta, that what runs may take; None for 30. What takes longer is broken off.

        Returns:
            Whether all of it was finished.
        """
    def aclose(self, timeout: _Seconds | None = None) -> Awaitable[bool]:
        """As `close`, to be awaited."""
    def __enter__(self) -> Self: ...
    def __exit__(self, *_exception: object) -> None: ...
    def __aenter__(self) -> Awaitable[Self]: ...
    def __aexit__(self, *_exception: object) -> Awaitable[None]: ...

@final
class InProcess:
    """The routes of the endpoint over a client, without a socket.

    Args:
        client: the client that is asked.
    """

    def __new__(cls, client: Client) -> Self: ...
    def exchange(
        self, method: str, target: str, headers: _Headers, body: bytes, timeout: _Seconds | None = None
    ) -> Exchange:
        """Answer a request: returns when the status and the headers are known.

        Raises:
            Timeout: there was no answer in time.
            ValueError: the request is none of HTTP.
        """
    def aexchange(
        self, method: str, target: str, headers: _Headers, body: bytes, timeout: _Seconds | None = None
    ) -> Awaitable[Exchange]:
        """As `exchange`, to be awaited."""

@final
class Exchange:
    """A reply whose body comes piece by piece. Closed before its end, the call is cancelled."""

    @property
    def status(self) -> int:
        """The status code."""
    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """The headers: names and values, as bytes."""
    def next(self, timeout: _Seconds | None = None) -> bytes | None:
        """The next piece of the body; None after the last one.

        Raises:
            Timeout: nothing came in time.
        """
    def anext(self, timeout: _Seconds | None = None) -> Awaitable[bytes | None]:
        """As `next`, to be awaited."""
    def close(self) -> None:
        """Leave the reply: what still runs for it is cancelled."""
    def aclose(self) -> Awaitable[None]:
        """As `close`, to be awaited."""

@final
class KeyRing:
    """The keys that may ask an endpoint, in a file: their digests and terms, never the keys themselves.

    Args:
        url: `sqlite:///FILE`.

    Raises:
        ConfigError: the URL names no file.
        StoreError: the file cannot be opened, or was written by something else.
    """

    def __new__(cls, url: str) -> Self: ...
    def create(
        self,
        tenant: str,
        *,
        name: str | None = None,
        priority: str | int | None = None,
        models: Sequence[str] = ...,
        budget: Decimal | int | str | None = None,
        period: str = "month",
        requests_per_minute: int | None = None,
        concurrency: int | None = None,
        admin: bool = False,
    ) -> tuple[AccessKey, str]:
        """Make a key.

        Args:
            tenant: whose calls are made with it.
            name: what people call it; None for the tenant's name.
            priority: the most urgent that it may ask for: critical, high, normal or low, or 0 to 3.
            models: the models that it may name, `openai/*` for all of a provider; empty for any.
            budget: the most that its calls may cost in a period, in dollars.
            period: of the budget: hour, day, week, month or ever.
            requests_per_minute: the most requests in any 60 seconds.
            concurrency: the most requests at once.
            admin: whether it may see what belongs to other tenants.

        Returns:
            What is kept, and the key, which nobody can be shown again.

        Raises:
            ValueError: an argument is none of a key.
            StoreError: the file cannot be written.
        """
    def revoke(self, id: str) -> bool:
        """Revoke a key; whether there was such a key that was good."""
    def list(self) -> list[AccessKey]:
        """Every key that was made, the oldest first, those that were revoked too."""

@final
class AccessKey:
    """A key as it is kept: what it may do, and not the key itself."""

    @property
    def id(self) -> str:
        """What it is called by in lists, and in the ledger, as the tag `key=ID`."""
    @property
    def name(self) -> str:
        """What people call it."""
    @property
    def tenant(self) -> str:
        """Whose calls are made with it."""
    @property
    def priority(self) -> str:
        """The most urgent that it may ask for."""
    @property
    def models(self) -> tuple[str, ...]:
        """The models that it may name; empty for any."""
    @property
    def budget(self) -> Decimal | None:
        """The most that its calls may cost in a period; None for no budget."""
    @property
    def period(self) -> str | None:
        """The period of the budget; None for no budget."""
    @property
    def requests_per_minute(self) -> int | None:
        """The most requests in any 60 seconds."""
    @property
    def concurrency(self) -> int | None:
        """The most requests at once."""
    @property
    def admin(self) -> bool:
        """Whether it may see what belongs to other tenants."""
    @property
    def created(self) -> datetime:
        """When it was made, in UTC."""
    @property
    def revoked(self) -> datetime | None:
        """When it was revoked, in UTC; None for one that is good."""
    def to_dict(self) -> dict[str, Any]:
        """All of it as a dict."""
