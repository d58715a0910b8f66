"""Mistakes that pydantic finds in a declaration, in the words of this project."""

import difflib
import re
from typing import Any

from tsd.data.coco_format import counted

_KINDS = {
    "bool_type": "true or false",
    "dict_type": "keys and values",
    "finite_number": "a number that is not infinite",
    "float_type": "a number",
    "int_from_float": "a whole number",
    "int_type": "a whole number",
    "list_type": "a list",
    "model_type": "keys and values",
    "string_type": "a text",
    "greater_than": "a number above {gt:g}",
    "greater_than_equal": "a number of {ge:g} or more",
    "less_than": "a number below {lt:g}",
    "less_than_equal": "a number of {le:g} or less",
    "literal_error": "{expected}",
}
"""Pydantic's type of a mistake → what is expected, with the names of its details in braces."""

_LENGTHS = {
    "string_too_short": ("a text of {}", "letter", "letters"),
    "too_short": ("{}", "entry", "entries"),
}
"""Pydantic's type of a mistake about a length → what is expected, one and several of its parts."""

_NAME = "a name of small letters, digits, - and _ that begins with a letter or a digit"


def expected_words(error: dict[str, Any]) -> str:
    """Say what is expected in the place of a value, and what was found.

    Args:
        error: One entry of ``ValidationError.errors()``.

    Returns:
        The end of a sentence. It is in pydantic's own words where a mistake of the kind was not
        foreseen.
    """
    kind, found, details = error["type"], error["input"], error.get("ctx", {})
    if kind == "string_pattern_mismatch":
        near = re.sub(r"[^a-z0-9_-]+", "-", str(found).lower()).strip("-_")
        return f"expected {_NAME}" + (f", such as {near!r}" if near else "") + f"; found {found!r}"
    if kind in _LENGTHS:
        text, one, several = _LENGTHS[kind]
        length = text.format(counted(details["min_length"], one, several))
        return f"expected {length} or more, found {found!r}"
    if kind not in _KINDS:
        return f"{error['msg']}; found {found!r}"
    hint = ""
    if kind == "string_type" and not isinstance(found, dict | list):
        hint = "; put it in quotes if it is meant as text"
    if kind == "literal_error":
        valid = re.findall(r"'([^']*)'", details["expected"])
        near_words = difflib.get_close_matches(str(found), valid, n=1, cutoff=0.5)
        hint = f"; did you mean {near_words[0]!r}?" if near_words and len(valid) > 1 else ""
    return f"expected {_KINDS[kind].format(**details)}, found {found!r}{hint}"


def place_words(location: tuple[int | str, ...]) -> str:
    """Name the key that a mistake is about, or the key that has a wrong name.

    Args:
        location: Pydantic's location: keys and positions from the outermost; the last is ``[key]``
            where the mistake is about the name before it and not about its value.
    """
    if location[-1] == "[key]":
        *parents, name = location[:-1]
        inside = ".".join(str(part) for part in parents)
        return f"key {inside!r}: the name {str(name)!r} in it"
    return f"key {'.'.join(str(part) for part in location)!r}"
