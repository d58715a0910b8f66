"""What bundles of one grid say together, or why they cannot be believed together.

Each two bundles have to agree: on what is declared, but for what was asked for; on the content of
the data sets; and on what was measured, as far as both have it. Of trainings only those of other
lengths are compared here, whose folders are not in the bundles. The folders of the others are
compared when they are merged (:mod:`tsd.results.bundle_merge`).
"""

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from tsd.experiments.metrics import METRICS, Step
from tsd.reporting.bundle_looks import combined_looks, require_same_looks
from tsd.reporting.selection import combined
from tsd.results.bundle_format import BundleError
from tsd.results.collected import CollectedData, CollectedLength, CollectedRun, Results
from tsd.results.possible_values import Metrics

NOT_DECLARED = frozenset(
    {"generated", "commit", "dirty", "data", "runs", "image_noise", "lengths", "looks", "selection"}
)
"""Parts of collected results that may differ between two bundles of one grid.

They are what was measured, and what was asked for.
"""

ONLY_IF_ASKED_FOR = frozenset({"deviations", "digest", "mistake", "network", "seeds"})
"""Parts of a run that are known only where somebody asked for it, so that it was compiled."""


def union(bundles: Sequence[tuple[Path, Results]]) -> Results:
    """Put together what bundles of one grid say.

    Args:
        bundles: The file of each bundle, and its collected results; at least one.

    Returns:
        All runs, each as a bundle has it that was asked for it, with the seeds of all.

    Raises:
        BundleError: Two bundles do not agree; the message names both, and what differs.
    """
    for (origin, one), (other_origin, other) in combinations(bundles, 2):
        _require_agreement(one, other, (origin, other_origin))
    said = bundles[0][1]
    for _, other in bundles[1:]:
        said = _union_of_two(said, other)
    looks = [one.looks for _, one in bundles if one.looks is not None]
    return said.model_copy(update={"looks": combined_looks(looks) if looks else None})


def _union_of_two(first: Results, other: Results) -> Results:
    same_commit = (first.commit, first.dirty) == (other.commit, other.dirty)
    return first.model_copy(
        update={
            "runs": {
                name: _union_of_run(run, other.runs.get(name, run))
                for name, run in {**other.runs, **first.runs}.items()
            },
            "data": {
                name: data.model_copy(
                    update={"sums": {**other.data.get(name, data).sums, **data.sums}}
                )
                for name, data in {**other.data, **first.data}.items()
            },
            "commit": first.commit if same_commit else None,
            "dirty": first.dirty and same_commit,
            "lengths": _union_of_lengths(first.lengths, other.lengths),
            "selection": combined(first.selection, other.selection),
        }
    )


def _union_of_run(first: CollectedRun, other: CollectedRun) -> CollectedRun:
    """A run as the bundle has it in which it was asked for, with the seeds of both."""
    chosen = other if first.digest is None and other.digest is not None else first
    seeds = dict(sorted({**first.seeds, **other.seeds}.items()))
    return chosen.model_copy(update={"seeds": seeds})


def _union_of_lengths(
    first: list[CollectedLength], other: list[CollectedLength]
) -> list[CollectedLength]:
    """The results at each length, with the runs, seeds and metrics of both."""
    found = {one.scale: one for one in other}
    lengths = []
    for one in first:
        added = found.pop(one.scale, one).runs
        runs = {
            name: {
                seed: {**added.get(name, {}).get(seed, {}), **one.runs.get(name, {}).get(seed, {})}
                for seed in sorted({*one.runs.get(name, {}), *added.get(name, {})})
            }
            for name in {**one.runs, **added}
        }
        lengths.append(one.model_copy(update={"runs": runs}))
    return sorted([*lengths, *found.values()], key=lambda one: one.ratio)


def _require_agreement(first: Results, other: Results, origins: tuple[Path, Path]) -> None:
    """Refuse two bundles that do not agree.

    Raises:
        BundleError: They do not; the message names the first difference.
    """
    difference = (
        _differing_declaration(first, other)
        or _differing_data(first, other)
        or _differing_run(first, other)
        or _differing_length(first, other)
    )
    if difference is not None:
        raise BundleError(f"{origins[0]} and {origins[1]}: nothing was changed, since {difference}")
    require_same_looks(first.looks, other.looks, origins)


def _differing_declaration(first: Results, other: Results) -> str | None:
    for name in type(first).model_fields:
        if name not in NOT_DECLARED and _plain(first, name) != _plain(other, name):
            return _otherwise(name)
    return None


def _differing_data(first: Results, other: Results) -> str | None:
    """Say which data set has another content; its folder may be another one on each machine."""
    for name in first.data.keys() & other.data.keys():
        one, two = first.data[name], other.data[name]
        if _plain(one, "dataset") != _plain(two, "dataset"):
            return _otherwise(f"data {name}")
        for file in one.sums.keys() & two.sums.keys():
            if one.sums[file] != two.sums[file]:
                return (
                    f"the file {file} of the data set {name} has the SHA-256 {one.sums[file]} in "
                    f"the one and {two.sums[file]} in the other: numbers that are measured on "
                    "different annotations cannot be compared; train and evaluate with one version "
                    "of the data set, or report the bundles one by one"
                )
        for split in _images(one).keys() & _images(two).keys():
            if _images(one)[split] != _images(two)[split]:
                return (
                    f"the {split} split of the data set {name} has other images in the one than in "
                    f"the other (their sums are {_images(one)[split]} and {_images(two)[split]}); "
                    "train and evaluate with one version of the data set, or report the bundles "
                    "one by one"
                )
    return None


def _images(data: CollectedData) -> dict[str, str]:
    """The sum of the images of each split, as far as they were checked.

    Embedded data have none: each machine makes them, and writes the same pixels to other files
    where another version of a library does.
    """
    if data.check is None or data.dataset.embedded is not None:
        return {}
    return {split: report.content for split, report in data.check.pixels.items()}


def _differing_run(first: Results, other: Results) -> str | None:
    for name in first.runs.keys() & other.runs.keys():
        one, two = first.runs[name], other.runs[name]
        if None not in (one.digest, two.digest) and one.digest != two.digest:
            return (
                f"the run {name} is {one.digest} in the one and {two.digest} in the other: their "
                "declarations, data sets or versions differ"
            )
        for key in CollectedRun.model_fields.keys() - ONLY_IF_ASKED_FOR:
            if _plain(one, key) != _plain(two, key):
                return _otherwise(f"run {name}")
    return None


def _differing_length(first: Results, other: Results) -> str | None:
    """Say which result of a longer or shorter training is another one.

    The results at the grid's own length are left out, since they are read from its trainings.
    """
    others = {one.scale: one for one in other.lengths}
    for one in first.lengths:
        two = others.get(one.scale)
        if two is None or one.grid == first.grid_name:
            continue
        if (one.grid, one.ratio) != (two.grid, two.ratio):
            return _otherwise(f"length {one.scale}")
        for name in one.runs.keys() & two.runs.keys():
            for seed in one.runs[name].keys() & two.runs[name].keys():
                found = _differing_metric(one.runs[name][seed], two.runs[name][seed])
                if found is not None:
                    return (
                        f"the run {name} with seed {seed} of the grid {one.grid} has {found}; make "
                        "the wrong bundle anew where the results of that grid are right, or are "
                        "not there"
                    )
    return None


def _differing_metric(first: Metrics, other: Metrics) -> str | None:
    """Say which metric of the evaluation differs; a time differs whenever it is measured."""
    for name in first.keys() & other.keys():
        is_evaluated = name not in METRICS or METRICS[name].step is Step.EVALUATE
        if is_evaluated and first[name] != other[name]:
            return f"{name} {first[name]} in the one and {other[name]} in the other"
    return None


def _otherwise(what: str) -> str:
    return f"the {what} is declared otherwise in the one than in the other"


def _plain(part: Any, name: str) -> Any:
    """A part of results as plain data, less the folder of a data set, which is a machine's fact."""
    return _comparable(getattr(part, name))


def _comparable(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return {key: each for key, each in value.model_dump(mode="json").items() if key != "root"}
    if isinstance(value, list):
        return [_comparable(each) for each in value]
    if isinstance(value, dict):
        return {key: _comparable(each) for key, each in value.items()}
    return value
