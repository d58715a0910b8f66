"""The ledger of deviations: how the runs of a report differ from the protocols to compare with."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tsd.reporting.wording import count
from tsd.results.collected import CollectedRun, Results

FILE = "deviations.csv"
"""Name of the file, beside the page."""


@dataclass(frozen=True)
class Entry:
    """A deviation that some runs have in common.

    Args:
        question: What it is about, in words.
        here: What the runs do.
        there: What the protocol does.
        runs: Ids of the runs.
    """

    question: str
    here: str
    there: str
    runs: list[str]


def compared(results: Results) -> dict[str, CollectedRun]:
    """The runs that are compared with protocols: those whose trainings fill rows, if compiled."""
    return {
        name: run for name, run in results.runs.items() if run.is_shown and run.digest is not None
    }


def references(results: Results) -> list[str]:
    """Ids of the protocols that runs are compared with."""
    return [name for name, protocol in results.protocols.items() if protocol.is_reference]


def entries(results: Results, protocol: str) -> list[Entry]:
    """The deviations from a protocol, each once, in the order of the questions.

    Args:
        results: What was collected.
        protocol: Id of the protocol.
    """
    grouped: dict[tuple[str, str, str], list[str]] = {}
    for name, run in compared(results).items():
        for one in run.deviations.get(protocol, []):
            grouped.setdefault((one.decision, one.here, one.there), []).append(name)
    order = list(results.decisions)
    return [
        Entry(results.decisions[decision].question, here, there, runs)
        for (decision, here, there), runs in sorted(
            grouped.items(), key=lambda item: order.index(item[0][0])
        )
    ]


def runs_text(results: Results, runs: Iterable[str]) -> str:
    """Say which runs an entry is about: by name where they are few, else by number."""
    named = list(runs)
    if len(named) == len(compared(results)):
        return "all runs"
    return (
        ", ".join(named)
        if len(named) <= 4
        else f"{', '.join(named[:3])} and " + count(len(named) - 3, "further run")
    )


def protocol_text(results: Results) -> str:
    """Say in a sentence which protocol the runs follow."""
    if results.protocol is None:
        return "Runs are trained as their base configs say, under no declared protocol."
    others = sorted(
        {
            run.protocol
            for run in compared(results).values()
            if run.protocol is not None and run.protocol != results.protocol
        }
    )
    but = (
        f" Runs that are about a protocol follow their own: {', '.join(others)}." if others else ""
    )
    title = results.protocols[results.protocol].title
    return f"Runs follow the protocol {results.protocol}: {title}.{but}"


def write_csv(results: Results, folder: Path) -> None:
    """Write a line for each run, protocol and question that they answer differently."""
    with (folder / FILE).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["run", "follows", "compared_with", "question", "here", "there"])
        for name, run in compared(results).items():
            for protocol, found in run.deviations.items():
                for one in found:
                    question = results.decisions[one.decision].question
                    writer.writerow([name, run.protocol, protocol, question, one.here, one.there])
