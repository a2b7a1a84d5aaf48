"""The endpoint: a client as an HTTP server, or as a transport for httpx, for any client of OpenAI's or Anthropic's."""

from __future__ import annotations

from headrace._core.gateway import Server
from headrace.transport import Transport, httpx_transport

__all__ = ["Server", "Transport", "httpx_transport"]
