"""Which settings of a config a part of a dotted path names."""

from collections.abc import Iterable
from typing import Any

from tsd.experiments.reading import DeclarationError, suggest


def existing_keys(target: Any, part: str, where: str) -> Iterable[str | int]:
    """The keys or positions that a part of a path names.

    Args:
        target: What the parts before it lead to. An entry of a list is named by its number, by its
            ``type``, or all of them by ``*``.
        part: The part of the path.
        where: Named in errors: the file, the path, and what leads to the target.

    Raises:
        DeclarationError: There is none; the message names the nearest valid one.
    """
    if isinstance(target, dict):
        if part in target:
            return [part]
        raise DeclarationError(f"{where} has no {part!r}" + suggest(part, map(str, target)))
    if isinstance(target, list | tuple):
        types = [entry.get("type") if isinstance(entry, dict) else None for entry in target]
        if part == "*":
            return range(len(target))
        if part in types:
            return [types.index(part)]
        if part.isdecimal() and int(part) < len(target):
            return [int(part)]
        named = sorted({name for name in types if isinstance(name, str)})
        raise DeclarationError(
            f"{where} has entries 0 … {len(target) - 1}"
            + (f" of types {', '.join(named)}" if named else "")
            + f", not {part!r}"
        )
    raise DeclarationError(f"{where} is {target!r}, which has nothing below it")
