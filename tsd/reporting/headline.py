"""What a report found, in one sentence, and its place in the README."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tsd.experiments.comparisons import Difference, Quantity
from tsd.experiments.metrics import MAIN
from tsd.experiments.schema import Row
from tsd.reporting.escaping import markdown
from tsd.reporting.intervals import WEIGHTS, uncertainty
from tsd.reporting.selection import about, only_asked
from tsd.reporting.summary import ComparedGain, agreement, compared_gains, seeds_phrase
from tsd.reporting.verdicts import Outcome, Verdict
from tsd.reporting.verdicts_by_look import judge_by_look
from tsd.reporting.wording import count, number, row_name, signed
from tsd.results.collected import Results, State

END = "<!-- /headline -->"


@dataclass(frozen=True)
class Lead:
    """The gain in the main metric that a headline names.

    Args:
        name: What a table calls the run; None where it stands in none.
        run: Id of the run.
        baseline: Id of the run that it is compared with.
        measured: The gain.
        error: Its standard error; None where a spread is unknown.
        published: What the paper prints for the gain; None where it prints nothing.
    """

    name: str | None
    run: str
    baseline: str
    measured: float
    error: float | None
    published: float | None


def headline(results: Results) -> str:
    """Say in one sentence of Markdown what was measured.

    The gain that it names is the first one in the main metric that a claim is about and that was
    measured, in the order of the claims, with the number that the verdict on that claim rests on.
    Where no claim has one, it is the first measured gain of the tables that the paper prints. What
    nobody asked for is not counted.

    Args:
        results: The content of ``results.json``.
    """
    results = about(results)
    counted = only_asked(results)
    evaluated = sum(training.state is State.EVALUATED for training in counted.trainings())
    scale = results.scale
    where = f"At scale {scale.id} on “{markdown(results.dataset.name)}”"
    if not scale.is_paper:
        where += ", whose AP is not the paper’s"
    if not evaluated:
        return f"{where}, no training is evaluated yet."
    verdicts = judge_by_look(results)
    made = f"{count(evaluated, 'training')}, {seeds_phrase(counted)}{_tally(verdicts)}"
    lead = _leading(results, verdicts)
    if lead is None:
        return f"{where}, {made}, no gain was measured that the paper prints."
    decimals = results.metrics[MAIN].decimals
    name = f"`{lead.run}`" if lead.name is None else f"{markdown(lead.name)} (`{lead.run}`)"
    error = "" if lead.error is None else f" (standard error {number(lead.error, decimals)})"
    prints = "no number" if lead.published is None else signed(lead.published, decimals)
    gains = agreement(results)
    return (
        f"{where}, {name} differs from `{lead.baseline}` by "
        f"{signed(lead.measured, decimals)} AP{error}, for which the paper prints {prints}"
        f"{f'; {_in_a_sentence(gains)}' if gains else ''} ({made})."
    )


def _tally(verdicts: Sequence[Verdict]) -> str:
    """Say how many of the paper's claims are decided, and how; nothing where none is declared."""
    if not verdicts:
        return ""
    holding = [verdict for verdict in verdicts if verdict.outcome is Outcome.HOLDS]
    alone = sum(verdict.is_of_direction for verdict in holding)
    does_not = sum(verdict.outcome is Outcome.DOES_NOT for verdict in verdicts)
    in_direction = f" ({alone} of them in direction alone)" if alone else ""
    return (
        f"; of {count(len(verdicts), 'claim')} {len(holding)} hold{in_direction} and {does_not} "
        "do not"
    )


def _in_a_sentence(text: str) -> str:
    """A sentence as a part of another one."""
    return text[:1].lower() + text[1:].removesuffix(".")


def _leading(results: Results, verdicts: Sequence[Verdict]) -> Lead | None:
    """Choose the gain of the headline; None where there is none."""
    gains = compared_gains(results)
    for evidence in (one for verdict in verdicts for one in verdict.counted):
        comparison, measured = evidence.comparison, evidence.measured
        is_gain = isinstance(comparison, Difference) and comparison.quantity == Quantity((MAIN,))
        if is_gain and comparison.baseline is not None and measured is not None:
            known = uncertainty(measured.samples, WEIGHTS[:2], prior=None)
            return Lead(
                _name_of(results, gains, comparison.run, comparison.baseline),
                comparison.run,
                comparison.baseline,
                measured.value,
                None if known is None else known.standard_error,
                evidence.published,
            )
    for gain in gains:
        if gain.row.run is not None and gain.row.baseline is not None:
            return Lead(
                _name_of(results, gains, gain.row.run, gain.row.baseline),
                gain.row.run,
                gain.row.baseline,
                gain.measured,
                gain.sd,
                gain.published[0],
            )
    return None


def _name_of(
    results: Results, gains: Sequence[ComparedGain], run: str, baseline: str
) -> str | None:
    """Name a run as the row of its gain does, or as the first row does that it has in a table.

    A label that begins with a plus goes on from the row above it, and is no name by itself.
    """
    of_pair = [gain.row for gain in gains if (gain.row.run, gain.row.baseline) == (run, baseline)]
    of_run: list[Row] = [row for table in results.tables for row in table.rows if row.run == run]
    rows = [row for row in (*of_pair, *of_run) if not row.label.startswith("+")]
    return next(map(row_name, rows), None)


def begin(name: str) -> str:
    """The mark before the headline of a published report."""
    return f"<!-- headline:{name} -->"


def read_headline(text: str, name: str) -> str | None:
    """The text between the marks of a report's headline; None where there are no such marks.

    Args:
        text: A document.
        name: Name of the report's folder.
    """
    found = re.search(f"{re.escape(begin(name))}(.*?){re.escape(END)}", text, re.S)
    return found[1] if found else None


def names_in(text: str) -> list[str]:
    """Names of the reports that have marks in a document."""
    return re.findall(r"<!-- headline:(.*?) -->", text)


def with_headline(text: str, name: str, sentence: str) -> str | None:
    """A document with the headline of a report between its marks.

    Where it has no marks, they come into a paragraph of their own after the last headline there is.

    Args:
        text: The document.
        name: Name of the report's folder.
        sentence: What stands between the marks.

    Returns:
        None where there are no marks at all, so that nobody has said where headlines belong.
    """
    marked = f"{begin(name)}{sentence}{END}"
    if read_headline(text, name) is not None:
        pattern = f"{re.escape(begin(name))}.*?{re.escape(END)}"
        return re.sub(pattern, lambda _: marked, text, count=1, flags=re.S)
    before, mark, after = text.rpartition(END)
    return f"{before}{mark}\n\n{marked}{after}" if mark else None
