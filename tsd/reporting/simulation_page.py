"""The page ``docs/verdicts.md`` and its figure, with what the simulation of verdicts found."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from tsd.experiments.claims_schema import Claim
from tsd.experiments.load import Experiments
from tsd.reporting.drawing import INK, OURS, PAPERS, RULES
from tsd.reporting.intervals import ERROR
from tsd.reporting.simulated_claims import PERCENT, POINTS, world_of
from tsd.reporting.simulation import EFFECTS, SHARED, UNLIKENESS, Rates, World, simulate
from tsd.reporting.wording import count

PAGE, PICTURE = "verdicts.md", "verdicts.svg"
"""Names of the two files."""

REPLICATIONS = 2000
"""So often everything is trained anew for the page."""

BEGIN = "<!-- from here on written by `python -m tsd simulate-verdicts` -->"
END = "<!-- to here -->"
"""What is between these lines of the page is replaced."""

SHOWN = (1.0, 2.0, 3.0, 4.0)
"""Effects whose chance of a verdict stands in the table."""

UNLIKE = 0.5
"""Standard deviation of the logarithm of spreads that are less alike than is expected."""

SMALL = ("table2", "table3", "table4")
"""The runs of these tables alone are a second, small grid."""


@dataclass(frozen=True)
class Row:
    """One line of the table: trainings, kind of interval, and what came of them.

    Args:
        seeds: How many trainings the runs have, in words.
        is_moderated: Whether runs borrow spread.
        rates: How the claims are judged.
        single: Which of the claims make one comparison.
    """

    seeds: str
    is_moderated: bool
    rates: Rates
    single: list[int]

    @property
    def interval(self) -> str:
        """What the interval is called."""
        return "moderated" if self.is_moderated else "Welch"

    def power(self, effect: float) -> float:
        """Return how often a claim of one comparison is said to hold at an effect."""
        return float(self.rates.holds[self.single, EFFECTS.index(effect)].mean())


def situations(world: World) -> dict[str, dict[str, int]]:
    """List the numbers of trainings that are simulated: what it is called → run → number."""
    runs = sorted(world.runs)
    baselines = {one.baseline for one in world.comparisons}
    return {
        "2": dict.fromkeys(runs, 2),
        "3": dict.fromkeys(runs, 3),
        "5": dict.fromkeys(runs, 5),
        "3 of baselines, 1 of others": {run: 3 if run in baselines else 1 for run in runs},
        "1, 2, 3 and 5 in turn": {run: (1, 2, 3, 5)[n % 4] for n, run in enumerate(runs)},
    }


def rows(world: World, replications: int) -> list[Row]:
    """Simulate each situation with both kinds of interval.

    Args:
        world: What is trained and asked.
        replications: How often everything is trained anew.
    """
    single = [n for n, question in enumerate(world.questions) if len(question.comparisons) == 1]
    return [
        Row(name, is_moderated, simulate(world, seeds, is_moderated, replications), single)
        for name, seeds in situations(world).items()
        for is_moderated in (False, True)
    ]


def write(
    folder: Path, claims: Mapping[str, Claim], experiments: Experiments, replications: int
) -> None:
    """Simulate, and write what came of it.

    Args:
        folder: The page is there, and its part between the marks is replaced.
        claims: The declared ones.
        experiments: The declarations that they refer to.
        replications: How often everything is trained anew.

    Raises:
        ValueError: The page lacks the marks.
    """
    page = folder / PAGE
    text = page.read_text(encoding="utf-8")
    if BEGIN not in text or END not in text:
        raise ValueError(f"{page}: the lines {BEGIN!r} and {END!r} are missing")
    large = world_of(claims, experiments)
    tables = (experiments.tables[name] for name in SMALL)
    runs = {row.run for table in tables for row in table.rows if row.run is not None}
    small = world_of(claims, experiments, runs)
    alike = [rows(world, replications) for world in (large, small)]
    unlike = [rows(replace(world, unlikeness=UNLIKE), replications) for world in (large, small)]
    draw(alike[0], folder / PICTURE)
    differing = f"if the logarithms of their spreads differed by {UNLIKE:g}:"
    parts = [
        _made_of(large, replications),
        f"![The chance of a verdict at each effect]({PICTURE})",
        f"All {count(len(large.runs), 'run')} of these claims:",
        _table(alike[0]),
        f"The {count(len(small.runs), 'run')} of {_listed(SMALL)} alone, of which "
        f"{count(len(small.questions), 'verdict')} are asked:",
        _table(alike[1]),
        f"All {count(len(large.runs), 'run')} again, {differing}",
        _table(unlike[0]),
        f"The {count(len(small.runs), 'run')} alone again, {differing}",
        _table(unlike[1]),
        f"In the first two tables, {_most(alike)}. In the last two, {_most(unlike)}.",
    ]
    block = "\n\n".join([BEGIN, *parts, END])
    pattern = re.escape(BEGIN) + ".*?" + re.escape(END)
    page.write_text(re.sub(pattern, lambda _: block, text, flags=re.S), encoding="utf-8")


def _most(tables: list[list[Row]]) -> str:
    """Say how often intervals and outcomes err at most in some tables."""
    rates = [row.rates for table in tables for row in table]
    missed = max(one.missed.mean() for one in rates)
    outcomes = [outcome for one in rates for outcome in (one.held_falsely, one.refuted_falsely)]
    mean, worst = max(one.mean() for one in outcomes), max(one.max() for one in outcomes)
    return (
        f"the {1 - ERROR:.0%} interval misses the truth in at most {missed:.1%} of the cases, and "
        f"an outcome errs in at most {mean:.1%} of them on average over the claims and in at most "
        f"{worst:.1%} of them for the worst claim"
    )


def _listed(tables: tuple[str, ...]) -> str:
    *others, last = (f"`{name}`" for name in tables)
    return f"{', '.join(others)} and {last}"


def _made_of(world: World, replications: int) -> str:
    """Say what was simulated."""
    sized = sum(question.width < float("inf") for question in world.questions)
    return (
        f"{count(replications)} replications of "
        f"{count(len(world.questions), 'verdict')}: {len(world.questions) - sized} on directions "
        f"and orders, which every scale can judge, and {sized} on sizes, which the paper’s can. "
        f"The logarithms of the runs’ spreads have a standard deviation of {UNLIKENESS:g}, two "
        f"metrics of a training a correlation of {SHARED:g}. For sizes, a spread of {POINTS:g} AP "
        f"and of {PERCENT:.0%} of a runtime is assumed."
    )


def _table(found: list[Row]) -> str:
    """Write the rates as Markdown."""
    head = [
        "seeds",
        "interval",
        "“holds” at the bound",
        "worst claim",
        "“does not hold” at the bound",
        "worst claim",
        f"the {1 - ERROR:.0%} interval misses",
        *(f"“holds” at {effect:g}σ" for effect in SHOWN),
    ]
    lines = [head, ["---", "---", *["---:"] * (len(head) - 2)]]
    for row in found:
        rates = row.rates
        values = [
            rates.held_falsely.mean(),
            rates.held_falsely.max(),
            rates.refuted_falsely.mean(),
            rates.refuted_falsely.max(),
            rates.missed.mean(),
        ]
        lines.append(
            [
                row.seeds,
                row.interval,
                *(f"{value:.1%}" for value in values),
                *(f"{row.power(effect):.0%}" for effect in SHOWN),
            ]
        )
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def draw(found: list[Row], path: Path) -> None:
    """Draw the chance of the verdict "holds" against the effect.

    Args:
        found: Those situations are drawn in which all runs have equally many seeds.
        path: The figure goes there, as SVG.
    """
    picture = Figure(figsize=(7.2, 4.2), layout="constrained")
    axes = picture.add_subplot(
        xlabel="effect: how far the number lies inside its range, in spreads of a training (σ)",
        ylabel="chance of the verdict “holds”",
        ylim=(0, 1),
        xlim=(0, EFFECTS[-1]),
    )
    markers = {"2": "o", "3": "s", "5": "^"}
    for row in found:
        if row.seeds in markers:
            axes.plot(
                EFFECTS,
                [row.power(effect) for effect in EFFECTS],
                color=OURS if row.is_moderated else PAPERS,
                ls="-" if row.is_moderated else "--",
                marker=markers[row.seeds],
                ms=5,
                label=f"{row.seeds} seeds, {row.interval}",
            )
    axes.grid(color=RULES, lw=0.8)
    axes.spines[["right", "top"]].set_visible(False)
    axes.yaxis.set_major_formatter(mpl.ticker.PercentFormatter(1))
    axes.legend(frameon=False, fontsize=8.5, labelcolor=INK)
    with mpl.rc_context({"svg.hashsalt": "verdicts"}):
        picture.savefig(path, metadata={"Date": None})
