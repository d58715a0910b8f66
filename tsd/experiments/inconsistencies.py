"""Where numbers of the paper disagree with each other.

An *inconsistency* sets a number of the paper beside others of its numbers that do not agree with
it, and says what this project does about it. It refers to the numbers that a table or figure of the
paper holds and does not repeat them; :mod:`tsd.reporting.disagreements` writes them out.
"""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from tsd.experiments.checks import entries, require, require_new
from tsd.experiments.load import Experiments, validate
from tsd.experiments.schema import Declaration, Figure, Identifier, Table


class PaperNumber(Declaration):
    """A number of the paper, or what the paper says of one: in its prose, a table or a figure."""

    where: Annotated[str, Field(description="Where in the paper, as a reader is told.")]
    words: Annotated[
        str | None, Field(description="The words of the prose, shown in place of the number.")
    ] = None
    printed: Annotated[
        list[float] | None,
        Field(
            min_length=1,
            max_length=2,
            description="A number of the prose; or two, the range that its words stand for.",
        ),
    ] = None
    table: Annotated[Identifier | None, Field(description="Table that holds the number.")] = None
    figure: Annotated[Identifier | None, Field(description="Figure that holds the number.")] = None
    run: Annotated[
        Identifier | None, Field(description="Run whose number it is, in the table or figure.")
    ] = None
    metric: Annotated[
        str | None, Field(description="Metric of the number, in the table or figure.")
    ] = None
    baseline: Annotated[
        Identifier | None,
        Field(description="Run whose number is subtracted; absent: nothing is."),
    ] = None
    relative: Annotated[
        bool, Field(description="Whether to divide by the baseline's number in place of that.")
    ] = False

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

    id: Identifier
    what: Annotated[str, Field(description="What disagrees, in plain words.")]
    unit: Annotated[str, Field(description="Unit of all its numbers; empty where there is none.")]
    here: Annotated[PaperNumber, Field(description="The number.")]
    there: Annotated[
        list[PaperNumber],
        Field(min_length=1, description="The numbers that do not agree with it."),
    ]
    handling: Annotated[str, Field(description="What this project does about it.")]


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
