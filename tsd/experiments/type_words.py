"""Types and values of JSON schemas in words, for somebody who knows YAML but no JSON schema."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import yaml

Schema = Mapping[str, Any]

ANNOTATIONS = frozenset({"default", "description", "examples"})
"""Keys of a schema that do not limit the value."""


def type_in_words(schema: Schema | bool, several: bool = False) -> str:
    """A value's type in words.

    Args:
        schema: JSON schema of the value; ``True`` allows anything. Its title, if it has one, is
            taken for the name of the type.
        several: Whether it is about several such values.
    """
    *others, last = _choices(schema, several)
    return f"{', '.join(others)} or {last}" if others else last


def _choices(schema: Schema | bool, several: bool) -> list[str]:
    """The types of which a value has one, in words."""
    if isinstance(schema, bool) or schema.keys() <= ANNOTATIONS:
        return [_number_of("any value", several)]
    if "$ref" in schema:
        return [link(heading(schema["$ref"].split("/")[-1]), several)]
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return [words for choice in schema[word] for words in _choices(choice, several)]
    if "const" in schema:
        return [f"`{value_text(schema['const'])}`"]
    if "enum" in schema:
        return [f"`{value_text(value)}`" for value in schema["enum"]]
    if "title" in schema:
        return [_number_of(schema["title"], several)]
    if schema["type"] == "boolean":
        return ["`true`", "`false`"]
    return [_PLAIN[schema["type"]](schema, several)]


def value_text(value: object) -> str:
    """A value as YAML in one line."""
    text = yaml.safe_dump(
        value, default_flow_style=True, width=10_000, allow_unicode=True, sort_keys=False
    )
    return text.removesuffix("...\n").strip()  # the end of the document, after a plain value


def example_line(key: str, value: object) -> str:
    """A key and its value as a line of YAML."""
    return f"{key}: {value_text(value)}"


def heading(model: str) -> str:
    """A model's name as a heading: ``LargerGain`` is "Larger gain"."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", model).capitalize()


def link(title: str, several: bool = False) -> str:
    """A link to a heading of the page, by the anchor that GitHub gives it."""
    anchor = re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
    return f"[{_number_of(title, several)}](#{anchor})"


def _number_of(noun: str, several: bool) -> str:
    """A noun in singular or plural."""
    return f"{noun}s" if several and not noun.endswith("s") else noun


def _text(schema: Schema, several: bool) -> str:
    noun = _number_of("text", several)
    if "pattern" not in schema:
        return noun
    return f"{noun} that {'fit' if several else 'fits'} `{schema['pattern']}`"


def _number(schema: Schema, several: bool) -> str:
    noun = "whole number" if schema["type"] == "integer" else "number"
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    bounds = [f"{sign} {schema[word]:g}" for word, sign in signs.items() if word in schema]
    return " ".join([_number_of(noun, several), " and ".join(bounds)]).strip()


def _list(schema: Schema, several: bool) -> str:
    least, most = schema.get("minItems"), schema.get("maxItems")
    entries = type_in_words(schema.get("items", True), several=True)
    if most is not None:
        entries = f"{least or 0} to {most} {entries}"
    elif least is not None:
        entries = f"{least} or more {entries}"
    return f"{_number_of('list', several)} of {entries}"


def _mapping(schema: Schema, several: bool) -> str:
    keys = type_in_words({"type": "string", **schema.get("propertyNames", {})}, several=True)
    values = type_in_words(schema.get("additionalProperties", True), several=True)
    return f"{_number_of('mapping', several)} from {keys} to {values}"


_PLAIN: dict[str, Callable[[Schema, bool], str]] = {
    "string": _text,
    "integer": _number,
    "number": _number,
    "null": lambda schema, several: "`null`",
    "array": _list,
    "object": _mapping,
}
"""Type of JSON → what words it."""
