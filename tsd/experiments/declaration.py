"""What all declarations in ``experiments/`` share.

Every class is one kind of declaration, every attribute one key. Unknown keys and wrong types are
refused when a file is loaded; names of other declarations are checked once all are loaded
(:mod:`tsd.experiments.load`).
"""

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, StringConstraints

Identifier = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*$"), Field(title="name")
]
"""Lower-case name: part of paths, target names and MLflow tags, never parsed for its meaning."""

Seed = Annotated[int, Field(ge=0)]

Differences = Annotated[dict[str, Any], Field(title="settings")]
"""Dotted path of an existing setting in the compiled config → the value that replaces it."""


class Declaration(BaseModel):
    """Base of all declarations: immutable, strict about keys and types.

    The text below each key describes it to the users of the files: ``docs/declarations.md`` and the
    JSON schemas are made from it (:mod:`tsd.experiments.documentation`).
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True
    )

    _origin: str = PrivateAttr("")

    @property
    def origin(self) -> str:
        """File, and name within it, that errors refer to."""
        return self._origin

    def with_origin(self, origin: str) -> Self:
        """The same declaration, knowing where it was read."""
        self._origin = origin
        return self
