"""Settings for runs by the name of their base."""

from fnmatch import fnmatchcase
from typing import Annotated

from pydantic import Field

from tsd.experiments.declaration import Declaration


class ForBases(Declaration):
    """Something that is said of all runs whose base has a certain name."""

    match: Annotated[str, Field(examples=["*-rcnn_r50_fpn"])]
    """The entry applies to bases whose name fits this pattern, in which ``*`` is any text, even
    none."""

    but_not: Annotated[list[str], Field(examples=[["*cascade-rcnn_r50_fpn"]])] = []
    """The entry does not apply to bases whose name fits one of these patterns."""

    @property
    def bases(self) -> tuple[str, ...]:
        """Which bases are meant: ``match``, then the patterns of ``but_not``."""
        return (self.match, *self.but_not)

    def is_for(self, base: str) -> bool:
        """Whether runs with this base are meant."""
        return fnmatchcase(base, self.match) and not any(
            fnmatchcase(base, pattern) for pattern in self.but_not
        )
