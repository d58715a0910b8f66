"""What the paper's sentences say of numbers.

A *claim* is a sentence of the paper that numbers decide, with the test that decides it. The kinds
of test are classes of :mod:`tsd.experiments.claim_tests`; :mod:`tsd.reporting.verdicts` judges the
claims. A claim refers to the numbers that a table or figure of the paper holds and does not repeat
them.
"""

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from tsd.experiments.checks import entries, require, require_new
from tsd.experiments.claim_tests import KINDS, AnyTest
from tsd.experiments.declaration import Declaration, Identifier
from tsd.experiments.load import Experiments
from tsd.experiments.metrics import METRICS
from tsd.experiments.reading import DeclarationError, suggest, validate


class Claim(Declaration):
    """A sentence of the paper that numbers decide."""

    id: Annotated[Identifier, Field(examples=["pc_at_75"])]
    """The report and other texts refer to the claim by this name."""

    quote: Annotated[str, Field(examples=["PC significantly improves the AP.75 by 1.5"])]
    """The paper says this, word for word; … stands for what is left out."""

    source: Annotated[str, Field(examples=["Section 3.2, Table 3"])]
    """The sentence stands here in the paper."""

    statement: Annotated[str, Field(examples=["PC adds 1.5 at AP.75 (within 0.5)."])]
    """We understand the sentence so, in plain words."""

    test: Annotated[
        AnyTest,
        Field(
            examples=[{"kind": "level", "runs": ["r50"], "metric": "AP", "size": {"within": 0.5}}],
        ),
    ]
    """This test decides the claim; its ``kind`` says which keys it has."""

    protocol: Annotated[Identifier | None, Field(examples=["released"])] = None
    """The claim is about this protocol. Runs that follow another one, because the user has asked
    for that, decide nothing of it."""

    published: Annotated[
        dict[Identifier, dict[str, float]],
        Field(default_factory=dict, examples=[{"r152": {"params": 76.39}}]),
    ]
    """The paper's prose gives these numbers, which stand in no table; each key is a run, and its
    value holds numbers by metric."""

    printed_in: Annotated[Identifier | None, Field(examples=["figure6"])] = None
    """The values that this figure prints are the paper's numbers for the claim. Without it these
    are the numbers under ``published``, and otherwise those of the paper's tables."""

    headline: Annotated[bool, Field(examples=[True])] = False
    """If ``true``, the claim is among those that the first screen of a report names. It names the
    first five claims with this mark that have results and, where these are fewer, the first other
    ones that have. What came of them does not matter for the choice."""

    note: Annotated[str | None, Field(examples=["No table of the paper has MobileNetV2."])] = None
    """The report shows this remark below the claim."""

    @property
    def runs(self) -> list[str]:
        """Ids of the runs that decide it."""
        return self.test.runs_compared

    @property
    def metrics(self) -> list[str]:
        """Ids of the metrics that decide it."""
        return self.test.metrics_compared


def load_claims(path: Path, experiments: Experiments) -> dict[str, Claim]:
    """Load the claims and check them against the declarations that they refer to.

    Args:
        path: The YAML file, a list.
        experiments: The declared runs, tables and figures.

    Returns:
        Id → claim, in the file's order.

    Raises:
        DeclarationError: On the first mistake found.
    """
    claims: dict[str, Claim] = {}
    for place, entry in entries(path, "claim"):
        _check_kind(place, entry)
        claim = validate(Claim, entry, place)
        require_new(place, claim.id, claims)
        if claim.id in experiments.targets:
            raise DeclarationError(
                f"{place}: key id: a table, figure or run is called {claim.id} too, so that "
                f"`only={claim.id}` could mean either; give the claim another id"
            )
        if claim.protocol is not None:
            require(f"{place}: key protocol", "protocol", claim.protocol, experiments.protocols)
        claim.test.check(place, experiments)
        _check_numbers(place, claim, experiments)
        claims[claim.id] = claim
    return claims


def _check_kind(place: str, entry: dict[str, Any]) -> None:
    """Check a test by its own kind, so that an error names that kind's keys."""
    test = entry.get("test")
    if not isinstance(test, dict):
        return
    if "kind" not in test:
        raise DeclarationError(f"{place}: key 'test.kind' is missing" + suggest("", KINDS))
    kind = str(test["kind"])
    require(f"{place}: key test.kind", "kind", kind, KINDS)
    validate(KINDS[kind], test, f"{place}: test")


def _check_numbers(place: str, claim: Claim, experiments: Experiments) -> None:
    """Check that the paper's numbers for a claim are those of known runs, metrics and figures."""
    for run, numbers in claim.published.items():
        require(place, "run", run, experiments.runs)
        for metric in numbers:
            require(place, "metric", metric, METRICS)
    if claim.printed_in is None:
        return
    place = f"{place}: key printed_in"
    require(place, "figure", claim.printed_in, experiments.figures)
    figure = experiments.figures[claim.printed_in]
    for run in claim.runs:
        for metric in claim.metrics:
            if figure.printed(run, metric) is None:
                raise DeclarationError(f"{place}: {figure.id} prints no {metric} of {run}")
