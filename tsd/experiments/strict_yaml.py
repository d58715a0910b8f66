"""YAML as plain data, without the readings that surprise.

PyYAML reads YAML 1.1, in which ``1e-3`` is a text, ``010`` is eight, ``no`` is false, ``12:30`` is
750 and ``2019-01-01`` is a date. Other tools, and most people, read YAML 1.2, in which these are a
number, ten, and texts. What the two read differently is refused, with both ways of saying what is
meant. Texts in quotes and values with an explicit tag are left alone.
"""

import re
from collections.abc import Hashable
from typing import Any

import yaml

_TAG = "tag:yaml.org,2002:"

_NUMBER = re.compile(
    r"(?P<sign>[-+]?)(?P<whole>[0-9]*)(?P<fraction>\.[0-9]*)?([eE](?P<exponent>[-+]?[0-9]+))?"
)
_OTHER_BASE = re.compile(r"[-+]?0o[0-7]+")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9_]+")

_SWITCHES = {"yes": "true", "on": "true", "no": "false", "off": "false"}


class AmbiguousScalarError(yaml.MarkedYAMLError):
    """A value without quotes that YAML 1.1 and YAML 1.2 read differently."""


class StrictLoader(yaml.SafeLoader):
    """Reads plain data; refuses ambiguous values, and keys that are given twice."""

    def compose_scalar_node(self, anchor: dict[Any, Any]) -> yaml.ScalarNode:
        """The node of a value.

        Raises:
            AmbiguousScalarError: If it can be read in two ways.
        """
        event = self.peek_event()  # type: ignore[no-untyped-call]
        node: yaml.ScalarNode = super().compose_scalar_node(anchor)
        is_plain = event.tag is None and event.style is None
        mistake = _ambiguity(node.tag.removeprefix(_TAG), node.value) if is_plain else None
        if mistake is not None:
            raise AmbiguousScalarError(problem=mistake, problem_mark=node.start_mark)
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A mapping, of which no key is given twice.

        Raises:
            yaml.constructor.ConstructorError: If one is, or if a key is a list or a mapping.
        """
        seen = set()
        for key_node, _ in node.value:
            if key_node.tag == f"{_TAG}merge":
                continue  # << takes over another mapping's keys, to be overruled here
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                raise yaml.constructor.ConstructorError(
                    None, None, "a key is a list or a mapping", key_node.start_mark
                )
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key!r} is given twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def _ambiguity(kind: str, text: str) -> str | None:
    """What is ambiguous about a value and how to say it otherwise; None if nothing is.

    Args:
        kind: What YAML 1.1 takes the value for, the last part of a tag such as ``int``.
        text: The value as it is written, without quotes.
    """
    quoted = f"put it in quotes, {text!r}, if it is meant as text"
    if kind == "bool" and text.lower() in _SWITCHES:
        return f"{text} is read as {_SWITCHES[text.lower()]}: write that, or {quoted}"
    if kind == "timestamp":
        return f"{text} is read as a date: {quoted}"
    if kind == "value":
        return f"{text} has a special meaning in YAML: {quoted}"
    if kind in ("int", "float") and ":" in text:
        return f"{text} is read as a number to the base of 60: {quoted}; else write it out"
    if kind in ("int", "str") and _LEADING_ZERO.fullmatch(text):
        # As text 08 and 09 have no other reading in YAML 1.1.
        read = "a number to the base of 8" if kind == "int" else "a text, not as a number"
        plain = text.replace("_", "")
        return f"{text} is read as {read}: write {int(plain)} if that is meant, or {quoted}"
    if kind == "str" and _OTHER_BASE.fullmatch(text):
        return f"{text} is read as a text, not as a number: write {int(text, 8)}, or {quoted}"
    if kind == "str" and (number := _spelled_out(text)):
        return f"{text} is read as a text, not as a number: write {number}, or {quoted}"
    return None


def _spelled_out(text: str) -> str | None:
    """A number as every YAML reads it: with digits around a point, and a sign in the exponent."""
    match = _NUMBER.fullmatch(text)
    if match is None or not re.search("[0-9]", (match["whole"] + (match["fraction"] or ""))):
        return None
    number = f"{match['sign']}{match['whole'] or '0'}.{(match['fraction'] or '.').lstrip('.') or 0}"
    exponent = match["exponent"]
    if exponent is None:
        return number
    return f"{number}e{exponent if exponent[0] in '+-' else f'+{exponent}'}"
