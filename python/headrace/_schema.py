"""The JSON schema of a pydantic model, as a request for structured output takes it."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["response_format_of"]

# What strict answers cannot be held to, by OpenAI's guide to structured outputs ("Supported schemas").
_UNSUPPORTED = {"oneOf", "allOf", "not", "prefixItems", "patternProperties", "dependentRequired", "if", "then", "else"}
# The keys under which schemas stand by name.
_BY_NAME = ("properties", "$defs", "definitions")


def response_format_of(model: Any) -> dict[str, Any]:
    """The `response_format` that asks for JSON of a pydantic model or of a JSON schema.

    Strict, so that the answer follows the schema to the letter, where OpenAI's strict mode can express the schema; else
    the schema goes along as it is.

    Args:
        model: a class with pydantic's `model_json_schema`, or the schema as a dict.
    """
    schema = model if isinstance(model, dict) else model.model_json_schema()
    title = schema.get("title") if isinstance(model, dict) else model.__name__
    name = re.sub(r"[^a-zA-Z0-9_-]", "_", title if isinstance(title, str) else "")[:64] or "answer"
    root = _with_object_root(schema)
    if root is None or not _is_expressible(root):
        return {"type": "json_schema", "json_schema": {"name": name, "schema": schema, "strict": False}}
    return {"type": "json_schema", "json_schema": {"name": name, "schema": _closed(root), "strict": True}}


def _with_object_root(schema: dict[str, Any]) -> dict[str, Any] | None:
    """The schema with an object at its root; a recursive model's root is only a reference. None where there is none."""
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference.startswith("#/$defs/"):
        found = schema.get("$defs", {}).get(reference.removeprefix("#/$defs/"))
        schema = {**found, "$defs": schema["$defs"]} if isinstance(found, dict) else schema
    return schema if schema.get("type") == "object" else None


def _is_expressible(schema: Any) -> bool:
    if isinstance(schema, list):
        return all(_is_expressible(item) for item in schema)
    if not isinstance(schema, dict):
        return True
    if _UNSUPPORTED & schema.keys():
        return False
    is_open = schema.get("type") == "object" and not isinstance(schema.get("properties"), dict)
    if is_open or schema.get("additionalProperties") not in (None, False):
        return False
    return all(_is_expressible(one) for one in _children(schema))


def _children(schema: dict[str, Any]) -> list[Any]:
    found: list[Any] = []
    for key, value in schema.items():
        if key in _BY_NAME and isinstance(value, dict):
            found.extend(value.values())
        elif key in ("items", "anyOf"):
            found.append(value)
    return found


def _closed(schema: Any) -> Any:
    """As strict mode wants it: an object names all its fields as required and allows no others, without defaults."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return {"$ref": schema["$ref"]}
    closed: dict[str, Any] = {}
    for key, value in schema.items():
        if key in _BY_NAME and isinstance(value, dict):
            closed[key] = {name: _closed(one) for name, one in value.items()}
        elif key in ("items", "anyOf"):
            closed[key] = _closed(value)
        elif key != "default":
            closed[key] = value
    if closed.get("type") == "object":
        closed["additionalProperties"] = False
        closed["required"] = list(closed["properties"])
    return closed
