"""The providers: OpenAI, Anthropic, DeepSeek, Gemini, Mistral, Azure, others like them, and a simulated one.

A key is given as `api_key=`, or taken from the environment; it is never shown, logged or pickled.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar, TypeAlias, TypeVar
from urllib.parse import urlencode

from headrace._core.provider import HttpProvider, KnownProvider, Simulated, SimulatedServer, known
from headrace.errors import ConfigError

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = [
    "Anthropic",
    "AzureOpenAI",
    "DeepSeek",
    "Gemini",
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
_Kind = TypeVar("_Kind", bound=HttpProvider)
_AZURE_ENDPOINT = "AZURE_OPENAI_ENDPOINT"


class OpenAICompatible(HttpProvider):
    """Any server that speaks OpenAI's API, or another that is known.

    Args:
        base_url: the URL before the protocol's path, as in `http://127.0.0.1:8000/v1`.
        name: the name before the slash of its models.
        api_key: its key; it is never shown, logged or pickled.
        protocol: what the server speaks: `openai_chat`, `openai_responses`, `anthropic` or `gemini`.
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
        protocol: str = "openai_chat",
        headers: Mapping[str, str] | None = None,
        connect_timeout: _Seconds = 10.0,
        read_timeout: _Seconds = 120.0,
        first_token_timeout: _Seconds | None = None,
        total_timeout: _Seconds | None = None,
    ) -> Self:
        """Prepare the connection; nothing is sent."""
        return super().__new__(
            cls,
            name,
            base_url=base_url,
            api_key=api_key,
            protocol=protocol,
            headers=dict(headers or {}),
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            first_token_timeout=first_token_timeout,
            total_timeout=total_timeout,
        )


class OpenAI(HttpProvider):
    """OpenAI. The key is `api_key`, or what OPENAI_API_KEY holds.

    Args:
        api_key: the key; None takes it from the environment.
        organization: the organization that pays, where the key belongs to several.
        project: the project that pays.
        protocol: what it is asked in: `openai_chat`, or `openai_responses`.
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
        protocol: str = "openai_chat",
        base_url: str | None = None,
        name: str = "openai",
        headers: Mapping[str, str] | None = None,
        connect_timeout: _Seconds = 10.0,
        read_timeout: _Seconds = 120.0,
        first_token_timeout: _Seconds | None = None,
        total_timeout: _Seconds | None = None,
    ) -> Self:
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
            protocol,
        )


class _Known(HttpProvider):
    """A provider that needs nothing but its key: a row of the registry."""

    _ROW: ClassVar[str]

    def __new__(
        cls,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        name: str | None = None,
        headers: Mapping[str, str] | None = None,
        connect_timeout: _Seconds = 10.0,
        read_timeout: _Seconds = 120.0,
        first_token_timeout: _Seconds | None = None,
        total_timeout: _Seconds | None = None,
    ) -> Self:
        """Prepare the connection; nothing is sent."""
        return _of_row(
            cls,
            cls._ROW,
            cls._ROW if name is None else name,
            api_key,
            base_url,
            headers,
            connect_timeout,
            read_timeout,
            first_token_timeout,
            total_timeout,
        )


class DeepSeek(_Known):
    """DeepSeek. The key is `api_key`, or what DEEPSEEK_API_KEY holds.

    Args:
        api_key: the key; None takes it from the environment.
        base_url: another address of the same API.
        name: the name before the slash of its models; None for the provider's own.
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

    _ROW = "deepseek"


class Mistral(_Known):
    """Mistral. The key is `api_key`, or what MISTRAL_API_KEY holds.

    Args:
        api_key: the key; None takes it from the environment.
        base_url: another address of the same API.
        name: the name before the slash of its models; None for the provider's own.
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

    _ROW = "mistral"


class Anthropic(_Known):
    """Anthropic, by its own Messages protocol. The key is `api_key`, or what ANTHROPIC_API_KEY holds.

    Args:
        api_key: the key; None takes it from the environment.
        base_url: another address of the same API: the URL before `/messages`.
        name: the name before the slash of its models; None for the provider's own.
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

    _ROW = "anthropic"


class Gemini(_Known):
    """Gemini, by its own protocol. The key is `api_key`, or what GEMINI_API_KEY or GOOGLE_API_KEY holds.

    Args:
        api_key: the key; None takes it from the environment.
        base_url: another address of the same API: the URL before `/models`.
        name: the name before the slash of its models; None for the provider's own.
        headers: sent with every request, before the provider's own; their values are never shown.
        connect_timeout: seconds, or a timedelta, until a connection must be made.
        read_timeout: seconds, or a timedelta, that the server may send nothing.
        first_token_timeout: seconds, or a timedelta, that a stream may take to its first word; None is no limit.
        total_timeout: seconds, or a timedelta, that a request may take, its reply to the end; None is no limit.

    Raises:
        ConfigError: there is no key, or as for `OpenAICompatible`.

    >>> Gemini("secret")
    <Gemini "gemini" at https://generativelanguage.googleapis.com/v1beta, api_key=***>
    """

    _ROW = "gemini"


class AzureOpenAI(HttpProvider):
    """Azure OpenAI. A model is named by its deployment, as in `azure/my-gpt`.

    Args:
        endpoint: the address of the resource, as in `https://my-resource.openai.azure.com`; None takes it from
            AZURE_OPENAI_ENDPOINT.
        api_key: the key; None takes it from AZURE_OPENAI_API_KEY.
        api_version: the version of the API; None takes it from OPENAI_API_VERSION, or is 2024-10-21.
        name: the name before the slash of its models.
        headers: sent with every request, before the provider's own; their values are never shown.
        connect_timeout: seconds, or a timedelta, until a connection must be made.
        read_timeout: seconds, or a timedelta, that the server may send nothing.
        first_token_timeout: seconds, or a timedelta, that a stream may take to its first word; None is no limit.
        total_timeout: seconds, or a timedelta, that a request may take, its reply to the end; None is no limit.

    Raises:
        ConfigError: there is no endpoint or no key, or as for `OpenAICompatible`.

    >>> AzureOpenAI("https://acme.openai.azure.com", "secret", api_version="2024-10-21")
    <AzureOpenAI "azure" at https://acme.openai.azure.com/openai?***, api_key=***>
    """

    def __new__(
        cls,
        endpoint: str | None = None,
        api_key: str | None = None,
        *,
        api_version: str | None = None,
        name: str = "azure",
        headers: Mapping[str, str] | None = None,
        connect_timeout: _Seconds = 10.0,
        read_timeout: _Seconds = 120.0,
        first_token_timeout: _Seconds | None = None,
        total_timeout: _Seconds | None = None,
    ) -> Self:
        """Prepare the connection; nothing is sent."""
        given = (endpoint or os.environ.get(_AZURE_ENDPOINT, "")).strip().rstrip("/")
        if not given:
            raise ConfigError(f"no endpoint: give endpoint=, or set {_AZURE_ENDPOINT}")
        version = api_version or os.environ.get("OPENAI_API_VERSION", "").strip() or "2024-10-21"
        base_url = f"{given.removesuffix('/openai')}/openai?{urlencode({'api-version': version})}"
        return _of_row(
            cls,
            "azure",
            name,
            api_key,
            base_url,
            headers,
            connect_timeout,
            read_timeout,
            first_token_timeout,
            total_timeout,
        )


_CLASSES: dict[str, type[HttpProvider]] = {
    "openai": OpenAI,
    "deepseek": DeepSeek,
    "mistral": Mistral,
    "anthropic": Anthropic,
    "gemini": Gemini,
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
        base_url: another address of the same API; for `azure`, None takes it from AZURE_OPENAI_ENDPOINT.
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
    if name == "azure" and base_url is None:
        return AzureOpenAI(
            None,
            api_key,
            headers=headers,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            first_token_timeout=first_token_timeout,
            total_timeout=total_timeout,
        )
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
        # A key without the address that goes with it is another program's.
        and (row.base_url or os.environ.get(_AZURE_ENDPOINT, "").strip())
    ]
    return [*found, Simulated()]


def _of_row(
    kind: type[_Kind],
    row: str,
    name: str,
    api_key: str | None,
    base_url: str | None,
    headers: Mapping[str, str] | None,
    connect_timeout: _Seconds,
    read_timeout: _Seconds,
    first_token_timeout: _Seconds | None,
    total_timeout: _Seconds | None,
    protocol: str | None = None,
) -> _Kind:
    return HttpProvider.__new__(
        kind,
        name,
        row=row,
        base_url=base_url,
        api_key=_key(row, api_key),
        protocol=protocol,
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
