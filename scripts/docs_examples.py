"""For the site: examples in docstrings stand as code, wherever they are, and what `__new__` takes is what a class takes."""

from __future__ import annotations

from typing import Any

import griffe

PROMPT = ">>>"
FENCE = "```"


def fenced(text: str) -> str:
    """A docstring with a fence around each example, which ends at an empty line.

    >>> print(fenced("Adds.\\n\\n>>> 1 + 1\\n2\\n\\nThat is all."))
    Adds.
    <BLANKLINE>
    ```pycon
    >>> 1 + 1
    2
    ```
    <BLANKLINE>
    That is all.
    """
    lines: list[str] = []
    indent: str | None = None
    for line in text.splitlines():
        if indent is None and line.lstrip().startswith(PROMPT):
            indent = line[: len(line) - len(line.lstrip())]
            lines.append(f"{indent}{FENCE}pycon")
        elif indent is not None and not line.strip():
            lines.append(f"{indent}{FENCE}")
            indent = None
        lines.append(line)
    return "\n".join([*lines, f"{indent}{FENCE}"] if indent is not None else lines)


class AsUsed(griffe.Extension):
    """Shows docstrings and signatures as a user of the package meets them."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called for each module, class, function and attribute."""
        if obj.docstring is not None and PROMPT in obj.docstring.value:
            obj.docstring.value = fenced(obj.docstring.value)

    def on_class(self, *, cls: griffe.Class, **_: Any) -> None:
        """Called for each class: compiled ones take their arguments in `__new__`, and the tool looks at `__init__`."""
        made = cls.members.get("__new__")
        if isinstance(made, griffe.Function) and "__init__" not in cls.members:
            taking = griffe.Function(
                "__init__", lineno=made.lineno, endlineno=made.endlineno, parameters=made.parameters, parent=cls
            )
            cls.members["__init__"] = taking
