"""How a run differs from the paper's protocol and from the release's, question by question.

Each part of a protocol sets values at certain paths of a config. A run deviates from a protocol in
a part where its own compiled config has other values there. Which ones they are is said in the
words of the protocol that has the same values, if one has. What the run itself sets is what it is
about, and no deviation.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tsd.experiments.compile import under_protocol
from tsd.experiments.grid import Grid
from tsd.experiments.job import Job
from tsd.experiments.protocol_schema import Decision, Protocol
from tsd.experiments.schema import Run

Values = dict[str, Any]
"""Dotted path of a single value in a compiled config → the value."""


@dataclass(frozen=True)
class Deviation:
    """A question that a run answers otherwise than a protocol.

    Args:
        decision: Id of the question.
        here: What the run does, in words.
        there: What the protocol does, in words.
    """

    decision: str
    here: str
    there: str


class Ledger:
    """Compares the runs of a grid with the declared protocols.

    Args:
        grid: The grid.
    """

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self._at_full_size: dict[tuple[str, str | None, str | None, str], Any] = {}

    @cached_property
    def protocols(self) -> dict[str, Protocol]:
        """All declared protocols, each with the parts of those that it extends."""
        return {name: self.grid.experiments.protocol(name) for name in self._declared}

    @property
    def _declared(self) -> dict[str, Protocol]:
        return self.grid.experiments.protocols

    @property
    def references(self) -> list[str]:
        """Ids of the protocols that runs are compared with."""
        return [name for name, protocol in self._declared.items() if protocol.reference]

    def deviations(self, job: Job) -> dict[str, list[Deviation]]:
        """How a run differs from each of the protocols to compare it with.

        Args:
            job: A training of the run, which can be compiled.

        Returns:
            Id of a protocol → the questions that the run answers otherwise, in the declared order.
        """
        found: dict[str, list[Deviation]] = {name: [] for name in self.references}
        own = job.config.to_dict()
        for decision in self.grid.experiments.decisions.values():
            paths = self._paths(decision, job.run)
            if not paths:
                continue
            answers = {
                name: _less(_values(self._content(job, protocol), paths), job.run)
                for name, protocol in self.protocols.items()
            }
            here = _less(_values(own, paths), job.run)
            for name in self.references:
                if here != answers[name]:
                    words = self._words(decision, here, answers, answers[name])
                    there = answer(decision, self.protocols[name])[0]
                    found[name].append(Deviation(decision.id, words, there))
        return found

    def _paths(self, decision: Decision, run: Run) -> list[str]:
        """The paths at which any protocol answers a question for a run."""
        settings = (one for p in self.protocols.values() for one in p.settings_of(decision.id, run))
        return list(dict.fromkeys(path for one in settings for path in one))

    def _content(self, job: Job, protocol: Protocol) -> dict[str, Any]:
        """The run under a protocol, at full size."""
        key = (job.run.base, job.run.backbone, job.run.dataset, protocol.id)
        if key not in self._at_full_size:
            self._at_full_size[key] = under_protocol(job.run, job.backbone, protocol)
        content: dict[str, Any] = self._at_full_size[key]
        return content

    def _words(
        self, decision: Decision, here: Values, answers: dict[str, Values], there: Values
    ) -> str:
        """How a run answers a question, in the words of the protocol that answers alike."""
        for name, values in answers.items():
            if values == here:
                return answer(decision, self.protocols[name])[0]
        differing = [path for path in {**there, **here} if here.get(path) != there.get(path)]
        told = [f"{path} = {here[path]!r}" for path in differing if path in here]
        scale = self.grid.scale.id
        return f"the scale {scale} has its own: " + (", ".join(told) if told else "no such setting")


def answer(decision: Decision, protocol: Protocol) -> tuple[str, str | None]:
    """How a protocol answers a question.

    Args:
        decision: The question.
        protocol: The protocol, with the parts of those that it extends.

    Returns:
        The answer in words, and where it stands; None for the place where the protocol has no part
        of its own.
    """
    part = protocol.parts.get(decision.id)
    return (decision.here, None) if part is None else (part.does, part.source)


def _values(content: Any, paths: Iterable[str]) -> Values:
    """The single values below some paths of a config; paths that do not exist have none."""
    found: Values = {}
    for path in paths:
        for place, value in _at(content, path.split("."), ""):
            found |= leaves(value, place)
    return found


def _at(content: Any, parts: list[str], place: str) -> Iterator[tuple[str, Any]]:
    """What lies at a path, with its place; an asterisk in the path means all entries of a list."""
    if not parts:
        yield place, content
        return
    first, *rest = parts
    if isinstance(content, dict) and first in content:
        yield from _at(content[first], rest, f"{place}.{first}".lstrip("."))
    elif isinstance(content, list | tuple) and first == "*":
        for index, entry in enumerate(content):
            yield from _at(entry, rest, f"{place}.{index}")


def leaves(value: Any, place: str) -> Values:
    """The single values in nested mappings and lists; an empty one is a value itself.

    Args:
        value: What a config has at a place.
        place: Its dotted path; the empty text for the whole config.

    Returns:
        Dotted path → value, tuples as lists.
    """
    if isinstance(value, dict) and value:
        parts = [leaves(each, f"{place}.{key}".lstrip(".")) for key, each in value.items()]
    elif isinstance(value, list | tuple) and value:
        parts = [leaves(each, f"{place}.{index}") for index, each in enumerate(value)]
    else:
        return {place: list(value) if isinstance(value, tuple) else value}
    return {path: leaf for part in parts for path, leaf in part.items()}


def _less(values: Values, run: Run) -> Values:
    """Leave out what a run sets itself, or what lies above or below that."""
    own = tuple(f"{path}." for path in run.set)
    return {
        path: value
        for path, value in values.items()
        if not any(f"{path}.".startswith(one) or one.startswith(f"{path}.") for one in own)
    }
