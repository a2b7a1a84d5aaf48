"""What the scenarios test: headrace's own parts, a provider behind real HTTP, or a server at a URL.

Each part can be spoilt on purpose, so that it can be shown that the suite finds it.
"""

from __future__ import annotations

import mmap
import os
import time
from contextlib import suppress
from decimal import Decimal
from importlib.util import find_spec
from typing import Any

import headrace
from headrace import providers
from headrace.errors import ConfigError
from headrace.loadtest.preflight import models
from headrace.loadtest.process import Watched, listeners
from headrace.loadtest.spoils import CACHES, CLIENTS, CUT, QUEUES, LooseCosts
from headrace.loadtest.target import TargetServer

# How long a server that has been there may take to say so again, in seconds.
_STILL_THERE = 5.0


def target_key() -> str | None:
    """The key of the server at a URL, from the environment."""
    return os.environ.get("HEADRACE_TARGET_KEY")


class Targets:
    """Makes what a scenario tests.

    Args:
        url: an OpenAI-compatible server; None starts the simulated provider's on the loopback.
        model: what to ask of it.
        pid: the process of the server at the URL; without, it is found by its listening socket, if it is on this machine.
        spoil: a name of `spoils.SPOILS`.
        seed: of the simulated provider.
        live: whether to ask a real provider, whose key the environment holds.
        budget: the most that it may spend, in USD.

    Raises:
        ConfigError: live without a key or a budget; nobody answers at the URL, or which model to ask is not known; there
            is no such process.
    """

    def __init__(
        self,
        *,
        url: str | None = None,
        model: str | None = None,
        pid: int | None = None,
        spoil: str | None = None,
        seed: int = 0,
        live: bool = False,
        budget: str | None = None,
    ) -> None:
        self.url, self.spoil, self.seed, self.live = url, spoil, seed, live
        self.budget = Decimal(budget) if budget else None
        self._model = model
        self._servers: list[providers.SimulatedServer] = []
        self._kept: list[mmap.mmap] = []
        self._asked = self._cached = False
        self._pid = pid
        self._watched: Watched | None = None
        self._tested: TargetServer | None = None
        if url is not None:
            self._choose_model(url)
        if pid is not None:
            self._watch(pid).stop()
        if live:
            if self.budget is None:
                raise ConfigError("--live spends money: give --budget USD, the most that it may spend")
            chosen = providers.from_environment()[0]
            if isinstance(chosen, providers.Simulated):
                raise ConfigError("--live needs a key: set OPENAI_API_KEY or DEEPSEEK_API_KEY")
            self._live_provider = chosen

    def _choose_model(self, url: str) -> None:
        listed = models(url, target_key())
        if self._model is None:
            chat = [name for name in listed if "embed" not in name]
            if not chat:
                raise ConfigError(f"{url}/models lists no model: say which one to ask, --model NAME")
            self._model = chat[0]

    @property
    def description(self) -> str:
        """Of whom is asked, for the report."""
        if self.live:
            return f"{self._live_provider.name} (live, at most {self.budget} USD)"
        if self.url:
            return f"{self.url} (model {self._model})"
        return "simulated provider over HTTP on the loopback"

    @property
    def model(self) -> str:
        """The model that scenarios ask, as `provider/model`."""
        if self.live:
            cheap = {"openai": "gpt-4o-mini", "deepseek": "deepseek-chat"}
            return f"{self._live_provider.name}/{self._model or cheap[self._live_provider.name]}"
        return f"{'target' if self.url else 'simulated'}/{self._model or 'esg'}"

    def address(self) -> str | None:
        """The URL of the server to test, for a scenario that asks it itself; None where there is none."""
        self._asked = True
        return self.url

    def must_be_there(self) -> None:
        """See that the server at the URL still answers.

        Raises:
            ConfigError: it does not; the message says why.
        """
        if self.url is None:
            return
        try:
            models(self.url, target_key(), timeout=_STILL_THERE)
        except ConfigError as error:
            raise ConfigError(f"the target went away: {error}") from None

    def tested(self) -> TargetServer:
        """The server for a scenario that asks it in its own way: at the URL, or a simulated one; one for each scenario."""
        if self.live:
            raise ConfigError("with --live there is no URL to test: use scenario.config.client()")
        if self._tested is None:
            url = self.address() or self.server().url
            key, model = target_key() if self.url else None, self.model.split("/", 1)[1]
            client = self.client_of([providers.OpenAICompatible(url, name="target", api_key=key)], costs=self.costs())
            self._tested = TargetServer(url, model, key, client)
        self._asked = True
        return self._tested

    @staticmethod
    def _watch(pid: int) -> Watched:
        try:
            return Watched([pid])
        except ValueError as error:
            raise ConfigError(f"--target-pid {pid}: {error}") from None

    def pids(self) -> list[int]:
        """The processes of the server at the URL, as far as they are known."""
        if self._pid is not None:
            return [self._pid]
        return listeners(self.url) if self.url else []

    def watch(self, interval: float) -> Watched:
        """Looks at the target's memory: of the processes at the URL where they are known, else of this one."""
        return Watched(self.pids(), interval=interval)

    def begin(self) -> None:
        """Called when a scenario begins."""
        self._asked = self._cached = False
        self._tested = None
        with suppress(ValueError):
            self._watched = Watched(found, interval=0.1) if (found := self.pids()) else None

    def end(self) -> tuple[dict[str, Any] | None, list[str]]:
        """What the target's process took since `begin`, where that is known; and what else the report must say."""
        watched, self._watched = self._watched, None
        if watched is not None:
            watched.stop()
        remarks = []
        if self._cached and find_spec("wordllama") is None:
            remarks.append(
                "the cache was tested with equal questions only: pip install 'headrace[static]' for similar ones"
            )
        if self.url and not self._asked:
            return None, [*remarks, "tests headrace in this process: the target was not asked"]
        if watched is None:
            return None, remarks
        return watched.figures(), [*remarks, "the target's process ended"] if watched.ended else remarks

    def server(self, **settings: Any) -> providers.SimulatedServer:
        """A simulated provider's server of the scenario's own."""
        if self.spoil == "stalled_provider":
            settings["time_to_first_token"] = 3.0
        if self.spoil == "cut_streams":
            settings["faults"] = CUT
        made = providers.SimulatedServer(seed=self.seed, **settings)
        self._servers.append(made)
        return made

    def provider(self, *, read_timeout: float = 30.0, **settings: Any) -> providers.HttpProvider:
        """The provider, over HTTP; `read_timeout` is for a server at a URL, settings for the simulated one."""
        if self.live:
            return self._live_provider
        if self.url:
            return providers.OpenAICompatible(
                str(self.address()), name="target", api_key=target_key(), read_timeout=read_timeout
            )
        return providers.OpenAICompatible(self.server(**settings).url, name="simulated")

    def queue(self, **settings: Any) -> headrace.RequestQueue:
        """A queue."""
        return QUEUES.get(self.spoil or "", headrace.RequestQueue)(**settings)

    def cache(self) -> headrace.SemanticCache:
        """A semantic cache with the offline embedder; without its word vectors, one that knows equal questions only."""
        self._cached = True
        kind = CACHES.get(self.spoil or "", headrace.SemanticCache)
        if find_spec("wordllama") is None:
            return kind()
        if self.spoil == "guards_off":
            return kind(headrace.embedders.static(), guards=False, verifier=None, threshold=0.75)
        return kind(headrace.embedders.static())

    def costs(self) -> headrace.CostTracker:
        """A cost tracker, with the budget of a live run."""
        made = (LooseCosts if self.spoil == "loose_budget" else headrace.CostTracker)()
        if self.budget is not None:
            made.set_budget(self.budget, period="day")
        return made

    def charged(self, cost: Decimal) -> Decimal:
        """A cost as the tracker tells it; spoilt, not quite."""
        return cost + Decimal("0.00000001") if self.spoil == "wrong_price" else cost

    def client(self, *, cache: headrace.SemanticCache | None = None, **settings: Any) -> headrace.Client:
        """A client of all this; settings are the simulated server's."""
        return self.client_of([self.provider(**settings)], cache=cache, costs=self.costs())

    def client_of(self, answering: list[Any], **settings: Any) -> headrace.Client:
        """A client of the scenario's own providers."""
        return CLIENTS.get(self.spoil or "", headrace.Client)(answering, **settings)

    def after_request(self) -> None:
        """Called after each request of a soak: spoilt, it keeps something."""
        if self.spoil == "leak":
            # Pages of its own: the allocator may still have freed memory to give, and then nothing would grow.
            kept = mmap.mmap(-1, 65536)
            kept.write(os.urandom(65536))
            self._kept.append(kept)

    def starve(self) -> None:
        """Called before each request is sent: spoilt, it is late."""
        if self.spoil == "starved_generator":
            time.sleep(0.05)

    def workers(self, users: int) -> int:
        """How many threads the generator has for so many users: spoilt, one, so that all others are sent late."""
        return 1 if self.spoil == "starved_generator" else max(8, users)

    def close(self) -> None:
        """Stop the servers."""
        for server in self._servers:
            server.close()
        self._servers.clear()
