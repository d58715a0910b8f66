"""What the loaders of the claims and of the inconsistencies ask of every entry of their file."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tsd.experiments.reading import DeclarationError, kind_of, read_yaml, suggest


def entries(path: Path, noun: str) -> Iterable[tuple[str, dict[str, Any]]]:
    """Yield each entry of a YAML file that holds a list, with the place that errors refer to.

    Args:
        path: The file.
        noun: What one entry is called in an error.

    Raises:
        DeclarationError: The file holds no list, or an entry is no mapping.
    """
    content = read_yaml(path)
    if not isinstance(content, list):
        raise DeclarationError(f"{path}: expected a list, found {kind_of(content)}")
    for position, entry in enumerate(content, start=1):
        if not isinstance(entry, dict):
            raise DeclarationError(
                f"{path}: {noun} number {position}: expected keys and values, "
                f"found {kind_of(entry)}"
            )
        yield f"{path}: {noun} {entry.get('id', f'number {position}')}", entry


def require(place: str, noun: str, name: str, valid: Iterable[str]) -> None:
    """Refuse a name that is not among the valid ones.

    Args:
        place: Where the name stands: the file, the entry and, where it helps, the key.
        noun: What the name should be the name of.
        name: The name.
        valid: The names there are.

    Raises:
        DeclarationError: The name is unknown; the message says which valid one is nearest.
    """
    if name not in valid:
        raise DeclarationError(f"{place}: unknown {noun} {name!r}" + suggest(name, valid))


def require_new(place: str, name: str, declared: Iterable[str]) -> None:
    """Refuse an id that an earlier entry has.

    Args:
        place: Where the id stands.
        name: The id.
        declared: The ids of the earlier entries.

    Raises:
        DeclarationError: The id is declared already.
    """
    if name in declared:
        raise DeclarationError(f"{place}: id {name!r} is declared already")
