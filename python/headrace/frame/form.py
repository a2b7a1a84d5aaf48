"""The form of an answer: its text alone, or the fields of a pydantic model or a JSON schema, a column each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from headrace._schema import response_format_of
from headrace.errors import ConfigError

__all__ = ["FACTS", "Column", "Form"]


@dataclass(frozen=True)
class Column:
    """A column of the answer.

    Attributes:
        name: its name.
        kind: `text`, `integer`, `number`, `boolean`, `money`, or `any` for what is nested or mixed.
    """

    name: str
    kind: str


FACTS = (
    Column("_cost", "money"),
    Column("_cached", "boolean"),
    Column("_model", "text"),
    Column("_tokens", "integer"),
    Column("_error", "text"),
)
"""What stands behind the answer's own columns, whatever its form."""

_KINDS = {"string": "text", "integer": "integer", "number": "number", "boolean": "boolean"}
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


class Form:
    """How answers are asked for and read.

    Args:
        schema: None for text; a pydantic model; or a JSON schema of an object.

    Raises:
        ConfigError: it is something else, or has no fields.

    >>> form = Form({"type": "object", "properties": {"topic": {"type": "string"}}, "required": ["topic"]})
    >>> form.cells('{"topic": "water"}')
    ['water']
    >>> form.cells('{"theme": "water"}')
    Traceback (most recent call last):
    ValueError: the answer lacks topic
    """

    def __init__(self, schema: Any = None) -> None:
        self.model: Any = schema if isinstance(schema, type) and hasattr(schema, "model_json_schema") else None
        if schema is None:
            self.schema: dict[str, Any] | None = None
            self.columns = [Column("answer", "text")]
            return
        read = self.model.model_json_schema() if self.model is not None else schema
        if not isinstance(read, Mapping):
            raise ConfigError(
                f"schema is of type {type(schema).__name__}: give a pydantic model, or a JSON schema as a dict"
            )
        self.schema = dict(read)
        root = _resolved(self.schema, self.schema)
        fields = root.get("properties")
        if not isinstance(fields, Mapping) or not fields:
            raise ConfigError(
                "schema has no fields: give the schema of an object, as "
                '{"type": "object", "properties": {"topic": {"type": "string"}}, "required": ["topic"]}'
            )
        self.columns = [Column(name, _kind(_resolved(field, self.schema))) for name, field in fields.items()]
        self._required = [name for name in root.get("required", ()) if isinstance(name, str)]
        self._fields = {name: _resolved(field, self.schema) for name, field in fields.items()}

    @property
    def params(self) -> dict[str, Any]:
        """What of a call asks for the form."""
        if self.schema is None:
            return {}
        return {"response_format": response_format_of(self.model if self.model is not None else self.schema)}

    def parse(self, text: str) -> Any:
        """The answer as the model's instance or as JSON; None for a text.

        Args:
            text: the answer.

        Raises:
            ValueError: it is not of the form. The message quotes no part of the answer.
        """
        if self.schema is None:
            return None
        try:
            value = json.loads(text)
        except ValueError:
            raise ValueError("the answer is no JSON") from None
        if not isinstance(value, dict):
            raise ValueError("the answer is no JSON object")
        if self.model is not None:
            try:
                return self.model.model_validate(value)
            except ValueError as error:
                raise ValueError(_complaints(error)) from None
        if lacking := [name for name in self._required if name not in value]:
            raise ValueError(f"the answer lacks {', '.join(lacking)}")
        if wrong := [name for name, field in self._fields.items() if name in value and not _fits(value[name], field)]:
            raise ValueError(f"the answer has another type or value than the schema in {', '.join(wrong)}")
        return value

    def cells(self, text: str) -> list[Any]:
        """The answer, a value a column.

        Args:
            text: the answer.

        Raises:
            ValueError: as for `parse`.
        """
        if self.schema is None:
            return [text]
        parsed = self.parse(text)
        values = parsed.model_dump(mode="json", by_alias=True) if self.model is not None else parsed
        return [values.get(column.name) for column in self.columns]


def _resolved(field: Any, root: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema that a reference inside the same document leads to."""
    seen = 0
    while isinstance(field, Mapping) and isinstance(field.get("$ref"), str) and seen < 32:
        found: Any = root
        for step in field["$ref"].removeprefix("#/").split("/"):
            found = found.get(step.replace("~1", "/").replace("~0", "~"), {}) if isinstance(found, Mapping) else {}
        field, seen = found, seen + 1
    return field if isinstance(field, Mapping) else {}


def _kind(field: Mapping[str, Any]) -> str:
    options = [one for one in field.get("anyOf", ()) if isinstance(one, Mapping) and one.get("type") != "null"]
    if len(options) == 1:
        field = options[0]
    named = field.get("type")
    if isinstance(named, list):
        rest = [one for one in named if one != "null"]
        named = rest[0] if len(rest) == 1 else None
    if named is None and field.get("enum") and all(isinstance(one, str) for one in field["enum"]):
        return "text"
    return _KINDS.get(named, "any") if isinstance(named, str) else "any"


def _fits(value: Any, field: Mapping[str, Any]) -> bool:
    """Whether a value is of a field's type and one of its values; what is deeper is not looked at."""
    if isinstance(field.get("enum"), list) and value not in field["enum"]:
        return False
    named = field.get("type")
    names = [named] if isinstance(named, str) else named if isinstance(named, list) else []
    if not names:
        return True
    # True is an integer to Python, not to JSON.
    return any(
        isinstance(value, _TYPES.get(name, (object,))) and (name == "boolean" or not isinstance(value, bool))
        for name in names
    )


def _complaints(error: ValueError) -> str:
    """What pydantic says, without the answer that it quotes."""
    found = getattr(error, "errors", None)
    if found is None:
        return "the answer is not of the schema"
    told = [
        f"{'.'.join(map(str, one['loc'])) or 'the whole'}: {one['msg']}"
        for one in found(include_url=False, include_input=False, include_context=False)[:3]
    ]
    return f"the answer is not of the schema ({'; '.join(told)})"
