"""Who answers: OpenAI, DeepSeek, any server that speaks OpenAI's API, and a simulated provider that costs nothing."""

from __future__ import annotations

import os

from headrace._core.provider import OpenAICompatible as _OpenAICompatible
from headrace._core.provider import Simulated, SimulatedServer
from headrace.errors import ConfigError

__all__ = ["DeepSeek", "OpenAI", "OpenAICompatible", "Simulated", "SimulatedServer", "from_environment"]


class OpenAICompatible(_OpenAICompatible):
    """Any server that speaks OpenAI's API.

    Args:
        base_url: the URL before `/chat/completions`, as in `http://127.0.0.1:8000/v1`.
        name: the name before the slash of its models.
        api_key: its key; it is never shown, logged or pickled.
        connect_timeout: seconds until a connection must be made.
        read_timeout: seconds that the server may send nothing.

    Raises:
        ConfigError: the URL is none, or the name has a slash.

    >>> OpenAICompatible("http://127.0.0.1:8000/v1", name="local", api_key="sk-secret")
    <OpenAICompatible "local" at http://127.0.0.1:8000/v1, api_key=***>
    """

    def __new__(
        cls,
        base_url: str,
        *,
        name: str = "openai_compatible",
        api_key: str | None = None,
        connect_timeout: float = 10.0,
        read_timeout: float = 120.0,
    ) -> OpenAICompatible:
        """Prepare the connection; nothing is sent."""
        return super().__new__(
            cls,
            base_url,
            name=name,
            api_key=api_key,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
        )


def _key(api_key: str | None, variable: str) -> str:
    key = api_key if api_key is not None else os.environ.get(variable, "")
    if not key.strip():
        raise ConfigError(f"no API key: give api_key=, or set {variable}")
    return key


class OpenAI(OpenAICompatible):
    """OpenAI. The key is `api_key`, or what OPENAI_API_KEY holds.

    Raises:
        ConfigError: there is no key.
    """

    def __new__(
        cls, api_key: str | None = None, *, base_url: str = "https://api.openai.com/v1", name: str = "openai"
    ) -> OpenAI:
        """Prepare the connection; nothing is sent."""
        return super().__new__(cls, base_url, name=name, api_key=_key(api_key, "OPENAI_API_KEY"))  # type: ignore[return-value]


class DeepSeek(OpenAICompatible):
    """DeepSeek. The key is `api_key`, or what DEEPSEEK_API_KEY holds.

    Raises:
        ConfigError: there is no key.
    """

    def __new__(
        cls, api_key: str | None = None, *, base_url: str = "https://api.deepseek.com/v1", name: str = "deepseek"
    ) -> DeepSeek:
        """Prepare the connection; nothing is sent."""
        return super().__new__(cls, base_url, name=name, api_key=_key(api_key, "DEEPSEEK_API_KEY"))  # type: ignore[return-value]


def from_environment() -> list[OpenAICompatible | Simulated]:
    """The providers whose keys the environment holds; without any, the simulated one.

    >>> import os
    >>> for name in ("OPENAI_API_KEY", "DEEPSEEK_API_KEY"):
    ...     _ = os.environ.pop(name, None)
    >>> from_environment()
    [<Simulated seed=0 time_to_first_token=0.02s tokens_per_second=2000>]
    """
    found: list[OpenAICompatible | Simulated] = []
    if os.environ.get("OPENAI_API_KEY", "").strip():
        found.append(OpenAI())
    if os.environ.get("DEEPSEEK_API_KEY", "").strip():
        found.append(DeepSeek())
    return found or [Simulated()]
