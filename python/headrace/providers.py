"""The providers: OpenAI, Anthropic, DeepSeek, Mistral and others, any server with OpenAI's API, and a simulated one.

A key is given as `api_key=`, or taken from the environment; it is never shown, logged or pickled.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from typing import TypeAlias

from headrace._core.provider import HttpProvider, KnownProvider, Simulated, SimulatedServer, known
from headrace.errors import ConfigError

__all__ = [
    "Anthropic",
    "DeepSeek",
    "HttpProvider",
    "KnownProvider",
    "Mistral",
    "OpenAI",
    "OpenAICompatible",
    "Simulated",
    "SimulatedServer",
    "from_environment",
    "known",
    "named",
]

_Seconds: TypeAlias = "float | timedelta"


class OpenAICompatible(HttpProvider):
    """Any server that speaks OpenAI's API.

    Args:
        base_url: the URL before `/chat/completions`, as in `http://127.0.0.1:8000/v1`.
        name: the name before the slash of its models.
        api_key: its key; it is never shown, logged or pickled.
        headers: sent with every request, before the provider's own; their values are never shown.
        connect_timeout: seconds, or a timedelta, until a connection must be made.
        read_timeout: seconds, or a timedelta, that the server may send nothing.
        first_token_timeout: seconds, or a timedelta, that a stream may take to its first word; None is no limit.
        total_timeout: seconds, or a timedelta, that a request may take, its reply to the end; None is no limit.

    Raises:
        ConfigError: the URL is none or holds a key, the name has a slash, or the key or a header cannot be sent.

    >>> OpenAICompatible("http://127.0.0.1:8000/v1", name="local", api_key="sk-secret")
    <OpenAICompatible "local" at http://127.0.0.1:8000/v1, api_key=***>
    """

    def __new__(
        cls,
        base_url: str,
        *,
        name: str = "openai_compatible",
        api_key: str | None = None,
        headers: Mapping[str, str] | None = None,
        connect_timeout: _Seconds = 10.0,
        read_timeout: _Seconds = 120.0,
        first_token_timeout: _Seconds | None = None,
        total_timeout: _Seconds | None = None,
    ) -> OpenAICompatible:
        """Prepare the connection; nothing is sent."""
        return super().__new__(
            cls,
            name,
            base_url=base_url,
            api_key=api_key,
            headers=dict(headers or {}),
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            first_token_timeout=first_token_timeout,
            total_timeout=total_timeout,
        )


class OpenAI(OpenAICompatible):
    """OpenAI. The key is `api_key`, or what OPENAI_API_KEY holds.

    Args:
        api_key: the key; None takes it from the environment.
        organization: the organization that pays, where the key belongs to several.
        project: the project that pays.
        base_url: another address of the same API.
        name: the name before the slash of its models.
        headers: sent with every request, before the provider's own; their values are never shown.
        connect_timeout: seconds, or a timedelta, until a connection must be made.
        read_timeout: seconds, or a timedelta, that the server may send nothing.
        first_token_timeout: seconds, or a timedelta, that a stream may take to its first word; None is no limit.
        total_timeout: seconds, or a timedelta, that a request may take, its reply to the end; None is no limit.

    Raises:
        ConfigError: there is no key, or as for `OpenAICompatible`.

    >>> OpenAI("sk-secret", project="proj_esg")
    <OpenAI "openai" at https://api.openai.com/v1, api_key=***>
    """

    def __new__(
        cls,
        api_key: str | None = None,
        *,
        organization: str | None = None,
        project: str | None = None,
        base_url: str | None = None,
        name: str = "openai",
        headers: Mapping[str, str] | None = None,
        connect_timeout: _Seconds = 10.0,
        read_timeout: _Seconds = 120.0,
        first_token_timeout: _Seconds | None = None,
        total_timeout: _Seconds | None = None,
    ) -> OpenAI:
        """Prepare the connection; nothing is sent."""
        paying = {"OpenAI-Organization": organization, "OpenAI-Project": project}
        sent = {**{header: value for header, value in paying.items() if value is not None}, **(headers or {})}
        return _of_row(
            cls,
            "openai",
            name,
            api_key,
            base_url,
            sent,
            connect_timeout,
            read_timeout,
            first_token_timeout,
            total_timeout,
        )  # type: ignore[return-value]


class DeepSeek(OpenAICompatible):
    """DeepSeek. The key is `api_key`, or what DEEPSEEK_API_KEY holds.

    Args:
        api_key: the key; None takes it from the environment.
        base_url: another address of the same API.
        name: the name before the slash of its models.
        headers: sent with every request, before the provider's own; their values are never shown.
        connect_timeout: seconds, or a timedelta, until a connection must be made.
        read_timeout: seconds, or a timedelta, that the server may send nothing.
        first_token_timeout: seconds, or a timedelta, that a stream may take to its first word; None is no limit.
        total_timeout: seconds, or a timedelta, that a request may take, its reply to the end; None is no limit.

    Raises:
        ConfigError: there is no key, or as for `OpenAICompatible`.

    >>> DeepSeek("sk-secret")
    <DeepSeek "deepseek" at https://api.deepseek.com/v1, api_key=***>
    """

    def __new__(
        cls,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        name: str = "deepseek",
        headers: Mapping[str, str] | None = None,
        connect_timeout: _Seconds = 10.0,
        read_timeout: _Seconds = 120.0,
        first_token_timeout: _Seconds | None = None,
        total_timeout: _Seconds | None = None,
    ) -> DeepSeek:
        """Prepare the connection; nothing is sent."""
        return _of_row(
            cls,
            "deepseek",
            name,
            api_key,
            base_url,
            headers,
            connect_timeout,
            read_timeout,
            first_token_timeout,
            total_timeout,
        )  # type: ignore[return-value]


class Mistral(OpenAICompatible):
    """Mistral. The key is `api_key`, or what MISTRAL_API_KEY holds.

    Args:
        api_key: the key; None takes it from the environment.
        base_url: another address of the same API.
        name: the name before the slash of its models.
        headers: sent with every request, before the provider's own; their values are never shown.
        connect_timeout: seconds, or a timedelta, until a connection must be made.
        read_timeout: seconds, or a timedelta, that the server may send nothing.
        first_token_timeout: seconds, or a timedelta, that a stream may take to its first word; None is no limit.
        total_timeout: seconds, or a timedelta, that a request may take, its reply to the end; None is no limit.

    Raises:
        ConfigError: there is no key, or as for `OpenAICompatible`.

    >>> Mistral("secret")
    <Mistral "mistral" at https://api.mistral.ai/v1, api_key=***>
    """

    def __new__(
        cls,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        name: str = "mistral",
        headers: Mapping[str, str] | None = None,
        connect_timeout: _Seconds = 10.0,
        read_timeout: _Seconds = 120.0,
        first_token_timeout: _Seconds | None = None,
        total_timeout: _Seconds | None = None,
    ) -> Mistral:
        """Prepare the connection; nothing is sent."""
        return _of_row(
            cls,
            "mistral",
            name,
            api_key,
            base_url,
            headers,
            connect_timeout,
            read_timeout,
            first_token_timeout,
            total_timeout,
        )  # type: ignore[return-value]


class Anthropic(HttpProvider):
    """Anthropic, by its own Messages protocol. The key is `api_key`, or what ANTHROPIC_API_KEY holds.

    Args:
        api_key: the key; None takes it from the environment.
        base_url: another address of the same API: the URL before `/messages`.
        name: the name before the slash of its models.
        headers: sent with every request, before the provider's own, such as `{"anthropic-beta": ...}`; their values are
            never shown.
        connect_timeout: seconds, or a timedelta, until a connection must be made.
        read_timeout: seconds, or a timedelta, that the server may send nothing.
        first_token_timeout: seconds, or a timedelta, that a stream may take to its first word; None is no limit.
        total_timeout: seconds, or a timedelta, that a request may take, its reply to the end; None is no limit.

    Raises:
        ConfigError: there is no key, or as for `OpenAICompatible`.

    >>> Anthropic("secret")
    <Anthropic "anthropic" at https://api.anthropic.com/v1, api_key=***>
    """

    def __new__(
        cls,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        name: str = "anthropic",
        headers: Mapping[str, str] | None = None,
        connect_timeout: _Seconds = 10.0,
        read_timeout: _Seconds = 120.0,
        first_token_timeout: _Seconds | None = None,
        total_timeout: _Seconds | None = None,
    ) -> Anthropic:
        """Prepare the connection; nothing is sent."""
        return _of_row(
            cls,
            "anthropic",
            name,
            api_key,
            base_url,
            headers,
            connect_timeout,
            read_timeout,
            first_token_timeout,
            total_timeout,
        )  # type: ignore[return-value]


_CLASSES: dict[str, type[HttpProvider]] = {
    "openai": OpenAI,
    "deepseek": DeepSeek,
    "mistral": Mistral,
    "anthropic": Anthropic,
}


def named(
    name: str,
    api_key: str | None = None,
    *,
    base_url: str | None = None,
    headers: Mapping[str, str] | None = None,
    connect_timeout: _Seconds = 10.0,
    read_timeout: _Seconds = 120.0,
    first_token_timeout: _Seconds | None = None,
    total_timeout: _Seconds | None = None,
) -> HttpProvider:
    """Make a provider that is known by name; `known()` lists them.

    Args:
        name: as in `groq`.
        api_key: the key; None takes it from the environment. A local server needs none.
        base_url: another address of the same API.
        headers: sent with every request, before the provider's own; their values are never shown.
        connect_timeout: seconds, or a timedelta, until a connection must be made.
        read_timeout: seconds, or a timedelta, that the server may send nothing.
        first_token_timeout: seconds, or a timedelta, that a stream may take to its first word; None is no limit.
        total_timeout: seconds, or a timedelta, that a request may take, its reply to the end; None is no limit.

    Raises:
        ConfigError: the name is unknown, or there is no key, or as for `OpenAICompatible`.

    >>> named("groq", "secret")
    <HttpProvider "groq" at https://api.groq.com/openai/v1, api_key=***>
    >>> named("ollama")
    <HttpProvider "ollama" at http://127.0.0.1:11434/v1, api_key=None>
    """
    kind = _CLASSES.get(name, HttpProvider)
    return _of_row(
        kind, name, name, api_key, base_url, headers, connect_timeout, read_timeout, first_token_timeout, total_timeout
    )


def from_environment() -> list[HttpProvider | Simulated]:
    """Make the providers whose keys the environment holds, and the simulated one at the end.

    Raises:
        ConfigError: a key has a line break or another character in it that cannot be sent.

    >>> import os
    >>> for row in known():
    ...     for variable in row.key_variables:
    ...         _ = os.environ.pop(variable, None)
    >>> os.environ["ANTHROPIC_API_KEY"] = "secret"
    >>> from_environment()  # doctest: +ELLIPSIS
    [<Anthropic "anthropic" at https://api.anthropic.com/v1, api_key=***>, <Simulated seed=0 ...>]
    >>> del os.environ["ANTHROPIC_API_KEY"]
    """
    found: list[HttpProvider | Simulated] = [
        named(row.name)
        for row in known()
        if any(os.environ.get(variable, "").strip() for variable in row.key_variables)
    ]
    return [*found, Simulated()]


def _of_row(
    kind: type[HttpProvider],
    row: str,
    name: str,
    api_key: str | None,
    base_url: str | None,
    headers: Mapping[str, str] | None,
    connect_timeout: _Seconds,
    read_timeout: _Seconds,
    first_token_timeout: _Seconds | None,
    total_timeout: _Seconds | None,
) -> HttpProvider:
    return HttpProvider.__new__(
        kind,
        name,
        row=row,
        base_url=base_url,
        api_key=_key(row, api_key),
        headers=dict(headers or {}),
        connect_timeout=connect_timeout,
        read_timeout=read_timeout,
        first_token_timeout=first_token_timeout,
        total_timeout=total_timeout,
    )


def _key(row: str, api_key: str | None) -> str | None:
    """The key that was given, or the environment's; None where the provider needs none."""
    variables = next((entry.key_variables for entry in known() if entry.name == row), ())
    in_environment = (os.environ.get(variable, "") for variable in variables)
    found = api_key if api_key is not None else next((key for key in in_environment if key.strip()), "")
    if found.strip() or not variables:
        return found or None
    raise ConfigError(f"no API key: give api_key=, or set {variables[0]}")
