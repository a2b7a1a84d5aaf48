"""What became of a row."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from headrace import errors
from headrace._core.client import Response
from headrace.errors import HeadraceError
from headrace.frame.form import Form

__all__ = ["Failed", "Kept", "Outcome", "as_facts", "as_response"]

_NOTHING = Decimal(0)


@dataclass(frozen=True)
class Kept:
    """An answer, as it is kept in a run's file."""

    state: bytes
    """The response as it is pickled."""
    cells: str
    """The values of the answer's columns, as JSON."""
    cost: Decimal
    cached: bool
    model: str
    tokens: int
    output: int
    """Tokens of the answer."""
    is_first: bool = True
    """Whether the row is the first of its equals, which bears the cost."""


@dataclass(frozen=True)
class Failed:
    """An error in place of an answer."""

    kind: str
    """The name of the exception, or `budget`."""
    message: str

    def __str__(self) -> str:
        return "budget" if self.kind == "budget" else f"{self.kind}: {self.message}"

    def as_exception(self) -> HeadraceError | ValueError:
        """The exception of that name."""
        name = "BudgetExceeded" if self.kind == "budget" else self.kind
        known = getattr(errors, name, None)
        if isinstance(known, type) and issubclass(known, HeadraceError):
            return known(self.message)
        return ValueError(self.message) if name == "ValueError" else HeadraceError(str(self))


Outcome = Kept | Failed


def as_facts(outcome: Outcome, form: Form) -> list[Any]:
    """The cells of a row: those of its answer, then cost, cached, model, tokens, error.

    Args:
        outcome: what became of the row.
        form: the form of the answers.
    """
    if isinstance(outcome, Failed):
        return [None] * len(form.columns) + [_NOTHING, False, None, 0, str(outcome)]
    cells = json.loads(outcome.cells)
    if outcome.is_first:
        return [*cells, outcome.cost, outcome.cached, outcome.model, outcome.tokens, None]
    return [*cells, _NOTHING, True, outcome.model, 0, None]


def as_response(outcome: Outcome, form: Form) -> Response | HeadraceError | ValueError:
    """The row's response, or the exception in its place.

    Args:
        outcome: what became of the row.
        form: the form of the answers.
    """
    if isinstance(outcome, Failed):
        return outcome.as_exception()
    state = outcome.state
    if not outcome.is_first:
        told = json.loads(state)
        saved = told["saved"] if told["cache"] else told["cost"]
        state = json.dumps({**told, "cost": "0", "saved": saved, "cache": "exact", "attempts": 0}).encode()
    response = Response._from_state(state, None)
    parsed = form.parse(response.text)
    return response if parsed is None else response._with_parsed(parsed)
