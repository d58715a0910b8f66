"""Reading a YAML file of ``experiments/``: text to one checked declaration.

Every mistake is a :class:`DeclarationError` that names the file, the key and, where a name is
misspelt, the nearest valid one.
"""

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from tsd.experiments.declaration import Declaration
from tsd.experiments.mistake_words import expected_words, place_words
from tsd.experiments.strict_yaml import AmbiguousScalarError, StrictLoader

AnyDeclaration = TypeVar("AnyDeclaration", bound=Declaration)


class DeclarationError(ValueError):
    """A declaration that cannot be used; the message says where and why."""


def suggest(name: str, valid: Iterable[str]) -> str:
    """'; did you mean …?', or the valid names where none is near."""
    valid = sorted(valid)
    near = difflib.get_close_matches(str(name), valid, n=1, cutoff=0.5)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; known: {', '.join(valid) or 'none'}"


def read_yaml(path: Path) -> object:
    """The content of a YAML file as plain data.

    Raises:
        DeclarationError: If the file is missing, is not YAML, repeats a key or has a value without
            quotes that can be read in two ways. Says where in the file.
    """
    try:
        return yaml.load(path.read_text(encoding="utf-8"), StrictLoader)  # noqa: S506 safe
    except FileNotFoundError:
        raise DeclarationError(f"{path}: no such file") from None
    except AmbiguousScalarError as error:
        mark = error.problem_mark
        place = f"{path}: line {mark.line + 1}, column {mark.column + 1}" if mark else f"{path}"
        raise DeclarationError(f"{place}: {error.problem}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DeclarationError(f"{path}: not valid YAML: {_fault(error)}") from error
    except OSError as error:
        raise DeclarationError(f"{path}: cannot be read: {error.strerror}") from error


def _fault(error: Exception) -> str:
    """What is wrong in a YAML file, after the line and the column where that is known."""
    if not isinstance(error, yaml.MarkedYAMLError):
        return str(error).split("\n", maxsplit=1)[0]
    mark = error.problem_mark or error.context_mark
    place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return place + ": ".join(filter(None, (error.context, error.problem)))


def validate(kind: type[AnyDeclaration], content: object, place: str) -> AnyDeclaration:
    """A declaration from plain data, or a :class:`DeclarationError` for each of its mistakes."""
    if not isinstance(content, dict):
        raise DeclarationError(f"{place}: expected keys and values, found {kind_of(content)}")
    try:
        return kind.model_validate(content).with_origin(place)
    except ValidationError as error:
        raise DeclarationError(
            "\n".join(f"{place}: {_explain(kind, dict(e))}" for e in error.errors())
        ) from None


def _explain(kind: type[BaseModel], error: dict[str, Any]) -> str:
    """One pydantic error in a sentence that names the key, if it is about one."""
    if not error["loc"]:
        return str(error["msg"]).removeprefix("Value error, ")
    *parents, key = error["loc"]
    dotted = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"unknown key {dotted!r}" + suggest(str(key), _fields_at(kind, parents))
    if error["type"] == "missing":
        return f"key {dotted!r} is missing"
    return f"{place_words(error['loc'])}: {expected_words(error)}"


def _fields_at(kind: type[BaseModel], parents: list[Any]) -> list[str]:
    """Names of the keys allowed at a path into a declaration."""
    for part in parents:
        if isinstance(part, str) and part in kind.model_fields:
            nested = _types_in(kind.model_fields[part].annotation)
            kind = next((t for t in nested if issubclass(t, BaseModel)), kind)
    return list(kind.model_fields)


def _types_in(annotation: object) -> Iterable[type]:
    """The classes mentioned in an annotation such as ``list[Row] | None``."""
    if isinstance(annotation, type) and not get_args(annotation):
        yield annotation
    for part in get_args(annotation):
        yield from _types_in(part)


def kind_of(content: object) -> str:
    """What to call a value of the wrong kind."""
    return "nothing" if content is None else type(content).__name__
