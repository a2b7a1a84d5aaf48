"""The server that a scenario of one's own tests: where it is, which model, and how to ask it."""

from __future__ import annotations

from typing import Any

from headrace.client import Client, Response
from headrace.loadgen import Target
from headrace.workload import Request


class TargetServer:
    """The server at `--headrace-target`; without one a simulated provider over real HTTP.

    Any client can ask it, such as `openai.OpenAI(base_url=target.url, api_key=target.api_key or "none")`.

    Args:
        url: the base URL of OpenAI's API.
        model: as the server names it.
        api_key: what HEADRACE_TARGET_KEY holds; it is not shown.
        client: a client of headrace's that has this one provider, named `target`.

    Example:
        >>> import headrace
        >>> with headrace.providers.SimulatedServer() as server:
        ...     client = headrace.Client([headrace.providers.OpenAICompatible(server.url, name="target")])
        ...     target = TargetServer(server.url, "esg", None, client)
        ...     target.ask("What is scope 1?").provider
        'target'
    """

    def __init__(self, url: str, model: str, api_key: str | None, client: Client) -> None:
        self.url, self.model, self.api_key, self.client = url, model, api_key, client

    def __repr__(self) -> str:
        return f"<TargetServer {self.model!r} at {self.url}>"

    def ask(self, question: str | Request, **chat: Any) -> Response:
        """Ask once, past the client's cache, and wait for the answer.

        Args:
            question: a text, or a request of a workload.
            chat: as for `Client.chat`.

        Raises:
            HeadraceError: the server does not answer as it should, by kind.
        """
        chat = {"cache": False, "timeout": 30.0, **chat}
        if isinstance(question, Request):
            chat = {"priority": question.priority, **chat}
        asked: Any = question if isinstance(question, str) else question.messages
        return self.client.chat(f"target/{self.model}", asked, **chat)

    def generator(self, *, stream: bool = False, timeout: float = 30.0) -> Target:
        """The server for `open_loop` and `closed_loop`, which send from Rust: thousands of requests a second.

        Args:
            stream: whether answers are streamed; then the first token is timed too.
            timeout: seconds for each request.
        """
        return Target.http(self.url, model=self.model, api_key=self.api_key, stream=stream, timeout=timeout)
