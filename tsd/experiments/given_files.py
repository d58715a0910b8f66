"""Declarations that a user names: by the id of a declared one, or as a file of the user's own.

Folders of results and reports are named after ids, prices and published values are looked up by
them, and the id of a data set decides whether numbers may be compared with the paper's. So a file
may not have the id of something else that is declared: it would be taken for that without a word.
"""

from pathlib import Path

from tsd.experiments.reading import (
    AnyDeclaration,
    DeclarationError,
    read_yaml,
    suggest,
    validate,
)

_REMEDIES = {
    "data set": "; where the file describes the same images and annotations in another place, "
    "`same_as: {taken}` has its numbers count as numbers on that data set",
    "scale": "; with `extends: {taken}` it needs to say only what differs",
    "protocol": "; with `extends: {taken}` it needs to say only what differs",
}
"""What kind of thing a file describes → what else helps whoever has to change its id."""


def look_up(declared: dict[str, AnyDeclaration], name: str, noun: str) -> AnyDeclaration:
    """Return the declaration of that id.

    Args:
        declared: All that are declared of this kind, by id.
        name: The id.
        noun: What an error calls a declaration of this kind.

    Raises:
        DeclarationError: There is none. The message says which id is nearest.
    """
    if name not in declared:
        raise DeclarationError(f"unknown {noun} {name!r}" + suggest(name, declared))
    return declared[name]


def look_up_or_read(
    declared: dict[str, AnyDeclaration], name: str, noun: str, kind: type[AnyDeclaration]
) -> AnyDeclaration:
    """Return the declaration of that id, or the one in that YAML file.

    Args:
        declared: All that are declared of this kind, by id.
        name: The id, or the path of a file.
        noun: What an error calls a declaration of this kind.
        kind: Its class.

    Raises:
        DeclarationError: There is no such id or file, the file is faulty, or its id is that of a
            declared one with another content.
    """
    if not name.endswith((".yaml", ".yml")):
        return look_up(declared, name, noun)
    given = validate(kind, read_yaml(Path(name)), name)
    taken: str = given.id  # type: ignore[attr-defined]
    if taken in declared and _content(given) != _content(declared[taken]):
        raise DeclarationError(
            f"{name}: key id: {taken!r} is the id of the {noun} in {declared[taken].origin}, whose "
            f"content is another, and this {noun} would be taken for that one: give it an id of "
            f"its own{_REMEDIES[noun].format(taken=taken)}"
        )
    return given


def _content(declaration: AnyDeclaration) -> dict[str, object]:
    """What a file says. A default that is spelt out is left in: it overrules what is extended."""
    return declaration.model_dump(exclude_unset=True)
