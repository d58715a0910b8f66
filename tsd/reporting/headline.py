"""What a report found, in one sentence, and its place in the README."""

import re

from tsd.experiments.metrics import MAIN
from tsd.reporting.escaping import markdown
from tsd.reporting.selection import about, only_asked
from tsd.reporting.summary import ComparedGain, agreement, compared_gains, seeds_phrase
from tsd.reporting.verdicts import Outcome
from tsd.reporting.verdicts_by_look import judge_by_look
from tsd.reporting.wording import count, number, row_name, signed
from tsd.results.collected import Results, State

END = "<!-- /headline -->"


def headline(results: Results) -> str:
    """Say in one sentence of Markdown what was measured.

    The gain that it names is that of the first comparison of the first claim, which is what the
    paper is about; where that was not measured, it is the first measured gain of the tables. What
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
    made = f"{count(evaluated, 'training')}, {seeds_phrase(counted)}{_verdicts(results)}"
    gains = compared_gains(results)
    if not gains:
        return f"{where}, {made}, no gain was measured that the paper prints."
    lead = _leading(results, gains)
    decimals = results.metrics[MAIN].decimals
    error = "" if lead.sd is None else f" (standard error {number(lead.sd, decimals)})"
    return (
        f"{where}, {markdown(row_name(lead.row))} (`{lead.row.run}`) differs from "
        f"`{lead.row.baseline}` by "
        f"{signed(lead.measured, decimals)} AP{error}, for which the paper prints "
        f"{signed(lead.published[0], decimals)}; {_in_a_sentence(agreement(results))} "
        f"({made})."
    )


def _verdicts(results: Results) -> str:
    """Say how many of the paper's claims are decided, and how; nothing where none is declared."""
    verdicts = judge_by_look(results)
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


def _leading(results: Results, gains: list[ComparedGain]) -> ComparedGain:
    for claim in results.claims[:1]:
        for comparison in claim.test.comparisons()[:1]:
            for gain in gains:
                if (gain.row.run, gain.row.baseline) == tuple(comparison.runs):
                    return gain
    return gains[0]


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
