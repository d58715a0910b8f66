"""The files of the looks: which trainings each look rests on, what it found, and what is next.

They lie in ``results/{grid}/looks/{what is asked for}/look{number}.json``. Each follows from the
measured results and the one before it, so that one that is deleted is made again as it was. A file
whose look no longer follows from the one before it is left aside: it was made before the claims or
the budget were edited.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tsd.experiments.reading import DeclarationError
from tsd.run_folder import write_text


class Look(BaseModel):
    """One look at the results."""

    model_config = ConfigDict(extra="forbid")

    number: int = Field(description="of the look, from 1")
    asked_for: list[str] = Field(description="tables, figures and runs that the looks are about")
    trained: dict[str, int] = Field(description="run that this look trained → its seeds since then")
    error: float = Field(description="that the intervals of this look may make")
    outcomes: dict[str, str] = Field(description="claim → what is said of it so far")
    decided: dict[str, int] = Field(description="claim → the look at which it was decided")
    next: dict[str, int] = Field(description="run that the next look trains → its seeds then")
    may_decide: list[str] = Field(description="claims that the next look may decide")
    too_dear: list[str] = Field(description="undecided claims that the budget has no hours for")
    hours: float = Field(description="that the trainings after the first look took so far")
    next_hours: float = Field(description="that the missing trainings of the next look may take")

    @property
    def end(self) -> str | None:
        """Why no look follows; None where one does."""
        if self.next:
            return None
        if self.too_dear:
            return "the budget has no hours left for the claims that are undecided"
        return "no claim is left that another look could decide"

    def write(self, path: Path) -> None:
        """Write the file so that a reader sees the old one or the new one."""
        write_text(path, self.model_dump_json(indent=1) + "\n")

    @classmethod
    def read(cls, path: Path) -> "Look | None":
        """The look of a file; None where there is no such file.

        Raises:
            DeclarationError: The file is malformed.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(map(str, first["loc"])) or "the whole"
            raise DeclarationError(
                f"{path}: key {key}: {first['msg']}; delete the file, and `snakemake` makes it anew"
            ) from None


@dataclass(frozen=True)
class LookFiles:
    """The files of the looks at what one call asks for.

    Args:
        folder: They lie in it.
        seeds: How many seeds a run has at each look that it is trained for.
    """

    folder: Path
    seeds: tuple[int, ...]

    def path(self, number: int) -> Path:
        """The file of a look."""
        return self.folder / f"look{number}.json"

    def taken(self) -> list[Look]:
        """The looks that there are, from the first, each of which follows from the one before.

        Raises:
            DeclarationError: A file is malformed.
        """
        looks: list[Look] = []
        for number in range(1, len(self.seeds) + 1):
            look = Look.read(self.path(number))
            if look is None or (looks and look.trained != looks[-1].next):
                break
            looks.append(look)
            if not look.next:
                break
        return looks

    def count(self, run: str, looks: Iterable[Look]) -> int:
        """How many seeds a run has after some looks, the first of all."""
        return max([self.seeds[0], *(look.next.get(run, 0) for look in looks)])


def cheapest_first(
    claims: Mapping[str, Sequence[str]], hours: Mapping[str, float], left: float | None
) -> list[str]:
    """Choose the claims whose runs get more seeds, such that as many as possible fit the budget.

    Args:
        claims: Id of an undecided claim → the runs that it rests on.
        hours: Run → what its trainings for the next look may take, those left out that are there.
        left: So many hours of the budget are left; None where there is no budget.

    Returns:
        Ids of the chosen claims, each the cheapest one of those that were left; of equal ones the
        first. A run that several claims rest on is paid for once. What costs nothing is always
        chosen, so that trainings that are there stay in use when the budget is used up.
    """
    chosen: list[str] = []
    paid: set[str] = set()
    waiting = list(claims)
    while waiting:
        prices = {claim: sum(hours[run] for run in {*claims[claim]} - paid) for claim in waiting}
        claim = min(waiting, key=prices.__getitem__)
        price = prices[claim]
        if left is not None and price > max(left, 0):
            break
        left = None if left is None else left - price
        paid.update(claims[claim])
        chosen.append(claim)
        waiting.remove(claim)
    return [claim for claim in claims if claim in chosen]
