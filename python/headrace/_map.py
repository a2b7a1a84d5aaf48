"""Many questions at once: read as they are sent, told as they are answered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sized
from typing import Any

from headrace._core.client import MapRun, Response
from headrace._progress import Progress, Shown
from headrace.errors import RequestCancelled

__all__ = ["MapCalls"]


class MapCalls:
    """The calls of one `map`, at most `concurrency` under way; a question is read when there is room for it.

    Args:
        run: what sends them.
        prompts: the questions.
        call_of: makes the call of a question.
        finish: takes each outcome, a response or an exception, and gives it back as it is to be kept.
        concurrency: how many are under way at once.
        progress: whether to show how far it is.
        errors: `raise`, or `return` to put an error in the place of its answer.
    """

    def __init__(
        self,
        run: MapRun,
        prompts: Iterable[Any],
        *,
        call_of: Callable[[Any], dict[str, Any]],
        finish: Callable[[Any], Any],
        concurrency: int,
        progress: Shown,
        errors: str,
    ) -> None:
        self.answers: list[Any] = []
        self.run = run
        self._prompts, self._call_of, self._finish = iter(prompts), call_of, finish
        self._concurrency, self._errors = concurrency, errors
        self._under_way: set[int] = set()
        self._show = Progress(len(prompts) if isinstance(prompts, Sized) else None, progress)

    def feed(self) -> bool:
        """Send questions as long as there is room; whether any is under way."""
        while len(self._under_way) < self._concurrency:
            try:
                prompt = next(self._prompts)
            except StopIteration:
                break
            place = len(self.answers)
            self.answers.append(None)
            try:
                self.run.ask(place, self._call_of(prompt))
            except Exception as error:
                self._keep(place, error)
            else:
                self._under_way.add(place)
        return bool(self._under_way)

    def take(self, told: tuple[int, Response | BaseException] | None) -> None:
        """Keep an outcome, or raise it where it is an error and errors are raised."""
        if told is not None:
            self._under_way.discard(told[0])
            self._keep(*told)

    def _keep(self, place: int, outcome: Response | BaseException) -> None:
        kept = self._finish(outcome)
        if isinstance(kept, BaseException) and (self._errors == "raise" or not isinstance(kept, Exception)):
            raise kept
        self.answers[place] = kept
        self._show(kept)

    def __enter__(self) -> MapCalls:
        return self

    def __exit__(self, *_exception: object) -> None:
        """Cancel what is under way; each of those calls ended with RequestCancelled."""
        self.run.close()
        for _place in sorted(self._under_way):
            self._finish(RequestCancelled("the map ended before this call did: see the error that it ended with"))
        self._under_way.clear()
        self._show.close()
