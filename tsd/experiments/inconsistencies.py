"""Where numbers of the paper disagree with each other.

An *inconsistency* sets a number of the paper beside others of its numbers that do not agree with
it, and says what this project does about it. It refers to the numbers that a table or figure of the
paper holds and does not repeat them; :mod:`tsd.reporting.disagreements` writes them out.
"""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from tsd.experiments.checks import entries, require, require_new
from tsd.experiments.declaration import Declaration, Identifier
from tsd.experiments.load import Experiments
from tsd.experiments.reading import validate
from tsd.experiments.schema import Figure, Table


class PaperNumber(Declaration):
    """A number of the paper, or what the paper says of one: in its prose, a table or a figure.

    One of ``printed``, ``table`` and ``figure`` says where the number is from, or there are
    ``words`` alone.
    """

    where: Annotated[str, Field(examples=["Table 5, ResNet-101-DCN"])]
    """The report says in these words where the number stands."""

    words: Annotated[str | None, Field(examples=["3%∼5%"])] = None
    """The report quotes these words of the prose instead of showing a number."""

    printed: Annotated[list[float] | None, Field(min_length=1, max_length=2, examples=[[3, 5]])] = (
        None
    )
    """The prose gives this number; two numbers are a range, from the first to the second."""

    table: Annotated[Identifier | None, Field(examples=["table5"])] = None
    """This table prints the number; ``run`` and ``metric`` say where in it."""

    figure: Annotated[Identifier | None, Field(examples=["figure6"])] = None
    """This figure prints the number; ``run`` and ``metric`` say where in it."""

    run: Annotated[Identifier | None, Field(examples=["r101_dcn_tsd"])] = None
    """The number is the one of this run, in the table or figure."""

    metric: Annotated[str | None, Field(examples=["AP"])] = None
    """The number is a value of this metric, in the table or figure."""

    baseline: Annotated[Identifier | None, Field(examples=["r101_dcn"])] = None
    """The number is the run's value less the value of this other run."""

    relative: Annotated[bool, Field(examples=[True])] = False
    """If ``true``, the run's value is divided by the baseline's instead."""

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        sources = [s for s in (self.printed, self.table, self.figure) if s is not None]
        if len(sources) > 1 or not (sources or self.words):
            raise ValueError("say one of printed, table and figure, or words")
        for noun, name in (("table", self.table), ("figure", self.figure)):
            if name is not None and (self.run is None or self.metric is None):
                raise ValueError(f"a {noun}'s number needs run and metric")
        return self

    @property
    def runs(self) -> list[str]:
        """Ids of the runs whose numbers a table or figure gives: the run and its baseline."""
        return [run for run in (self.run, self.baseline) if run is not None]


class Inconsistency(Declaration):
    """A number of the paper with which others of its numbers do not agree."""

    id: Annotated[Identifier, Field(examples=["three_to_five_dcn"])]
    """The report and other texts refer to the inconsistency by this name."""

    what: Annotated[
        str, Field(examples=["The gain of one backbone is less than what is said of all of them."])
    ]
    """This says in plain words what does not agree."""

    unit: Annotated[str, Field(examples=["AP"])]
    """The numbers are in this unit; it is empty where there are only words."""

    here: Annotated[PaperNumber, Field(examples=[{"where": "Section 4", "printed": [3, 5]}])]
    """The paper gives this number."""

    there: Annotated[
        list[PaperNumber],
        Field(min_length=1, examples=[[{"where": "Section 3.3", "words": "steadily"}]]),
    ]
    """These other numbers of the paper do not agree with it."""

    handling: Annotated[str, Field(examples=["The value is kept as it is printed."])]
    """This says what we do about it."""


def load_inconsistencies(path: Path, experiments: Experiments) -> dict[str, Inconsistency]:
    """Load the inconsistencies and check that the tables and figures hold what they refer to.

    Args:
        path: The YAML file, a list.
        experiments: The declared tables and figures.

    Returns:
        Id → inconsistency, in the file's order.

    Raises:
        DeclarationError: On the first mistake found.
    """
    found: dict[str, Inconsistency] = {}
    for place, entry in entries(path, "inconsistency"):
        inconsistency = validate(Inconsistency, entry, place)
        require_new(place, inconsistency.id, found)
        for number in [inconsistency.here, *inconsistency.there]:
            _check_printed(place, number, experiments)
        found[inconsistency.id] = inconsistency
    return found


def _check_printed(place: str, number: PaperNumber, experiments: Experiments) -> None:
    """Check that a table or figure prints the numbers that are referred to."""
    holder: Table | Figure
    if number.table is not None:
        require(place, "table", number.table, experiments.tables)
        holder = experiments.tables[number.table]
    elif number.figure is not None:
        require(place, "figure", number.figure, experiments.figures)
        holder = experiments.figures[number.figure]
    else:
        return
    for run in number.runs:
        printed = [name for name in holder.metrics if holder.printed(run, name) is not None]
        require(f"{place}: {holder.id}, {run}", "number", str(number.metric), printed)
