"""Making a bundle of a grid, and a report from bundles.

A report from bundles is made of what they say: the declarations are those that were collected when
a bundle was made, and each training is read from its own files. So it needs neither this project's
declarations nor the data set, whose files decide the digests and with them the folders' names.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tsd import provenance
from tsd.experiments.grid import Grid, possible
from tsd.reporting.bundle_looks import hours_after_first_look
from tsd.reporting.bundle_union import union
from tsd.reporting.collect import collect_all, collect_folder, collect_job, results_at_own_length
from tsd.reporting.image_noise import image_noise
from tsd.reporting.wording import count
from tsd.results.bundle_format import (
    BUNDLE_VERSION,
    COLLECTED,
    CRATE,
    BundleError,
    Manifest,
    bundled_paths,
)
from tsd.results.bundle_merge import has_other_weights, plan_merge
from tsd.results.bundle_read import unpack
from tsd.results.bundle_write import Source, describe, require_suffix, write_bundle
from tsd.results.collected import (
    CollectedRun,
    Results,
    ResultsError,
    State,
    Training,
)
from tsd.results.data_check import DataCheck
from tsd.results.ro_crate import crate_metadata
from tsd.run_folder import RunFolder


def make_bundle(
    grid: Grid, out: Path, with_weights: bool, announce: Callable[[str], None]
) -> Manifest:
    """Write a bundle of what a grid has measured.

    A training that goes on is left out, since what it will have measured is not known yet, and so
    is one that no report shows, since a file of it cannot be believed.

    Args:
        grid: The grid; of its trainings those are bundled that a report shows.
        out: The file to write; its name ends with ``.tar.gz`` or ``.zip``.
        with_weights: Whether to put the trained weights in too.
        announce: Called with a line for each training that is left out.

    Raises:
        BundleError: There is nothing to bundle, or something that no report may rest on.
    """
    require_suffix(out)
    sources: dict[str, Source] = {}
    for job in possible(grid.shown):
        folder = job.folder
        training = collect_job(job)
        if training.state in (State.REFUSED, State.RUNNING):
            reason = training.error or "it is being trained"
            announce(f"{job.key} is left out: {reason}")
            continue
        if with_weights and has_other_weights(folder.path):
            raise BundleError(
                f"{folder.weights} are not the weights that {folder.trained} tells of; have the "
                "run trained again, or bundle without --weights"
            )
        for path in bundled_paths(folder.path, with_weights):
            within = path.relative_to(folder.path).as_posix()
            sources[f"results/{job.key}/{within}"] = path
    if not sources:
        raise BundleError(f"{grid.results / grid.name}: there are no results to bundle")
    for path in sorted((grid.results / grid.name / "datasets").glob("*.json")):
        sources[f"results/{grid.name}/datasets/{path.name}"] = path
    results = collect_all(grid)
    sources[COLLECTED] = (results.model_dump_json(indent=1) + "\n").encode()
    files = [describe(path, source) for path, source in sorted(sources.items())]
    title = f"Results of the grid {grid.report_name}"
    sources[CRATE] = crate_metadata(title, results.generated, results.commit, files)
    manifest = Manifest(
        version=BUNDLE_VERSION,
        grid=grid.name,
        made=results.generated,
        commit=results.commit,
        dirty=results.dirty,
        machine=provenance.machine(),
        has_weights=with_weights,
        files=[describe(CRATE, sources[CRATE]), *files],
    )
    write_bundle(out, manifest, sources)
    return manifest


def sizes(manifest: Manifest) -> list[str]:
    """Say of each kind of file how many a bundle has, and how large they are, the largest first."""
    groups: dict[str, list[int]] = {}
    for file in manifest.files:
        groups.setdefault(file.path.rpartition("/")[2], []).append(file.size)
    largest = sorted(groups.items(), key=lambda group: -sum(group[1]))
    return [
        f"{name}: {count(len(all_), 'file')}, {bytes_text(sum(all_))}" for name, all_ in largest
    ]


def bytes_text(size: int) -> str:
    """Write a number of bytes."""
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size / 1e3:.1f} kB"


@dataclass(frozen=True)
class Unpacked:
    """A bundle that was read and found whole.

    Args:
        origin: Its file.
        folder: Where its files are.
        manifest: What it holds.
    """

    origin: Path
    folder: Path
    manifest: Manifest


def unbundle(bundles: Sequence[Path], results: Path, announce: Callable[[str], None]) -> "Bundled":
    """Bring the results of bundles into a folder of results.

    All bundles are read and merged with each other aside, and compared with what the folder has,
    before anything in it changes.

    Args:
        bundles: The files.
        results: The folder; it need not exist.
        announce: Called with a line about each training of which the folder keeps its own.

    Returns:
        What the bundles say, with the folder as the place of their trainings.

    Raises:
        BundleError: A bundle cannot be read, or conflicts with another one or with the folder.
    """
    with _unpacked(bundles) as unpacked:
        said = Bundled(unpacked, results)
        merged = unpacked[0].folder.parent / "merged"
        for one in unpacked:
            plan = plan_merge(one.folder / "results", merged)
            if plan.conflicts:
                clashes = "; ".join(plan.conflicts).replace(f"{merged}/", "results/")
                raise BundleError(
                    f"{one.origin}: nothing was changed, since it conflicts with the bundles "
                    f"before it: {clashes.replace(f'{one.folder}/', '')}"
                )
            plan.carry_out()
        plan = plan_merge(merged, results)
        plan.carry_out()
        for name in plan.kept:
            announce(f"{name} came as far there, and stays as it was")
    return said


@contextmanager
def _unpacked(bundles: Sequence[Path]) -> Iterator[list[Unpacked]]:
    with tempfile.TemporaryDirectory(prefix="tsd-bundle-") as aside:
        found = []
        for number, bundle in enumerate(bundles):
            folder = Path(aside, str(number))
            folder.mkdir()
            found.append(Unpacked(bundle, folder, unpack(bundle, folder)))
        grids = {one.manifest.grid: one.origin for one in found}
        if len(grids) > 1:
            listed = ", ".join(f"{origin} of {name}" for name, origin in grids.items())
            raise BundleError(f"the bundles are not of one grid: {listed}")
        yield found


class Bundled:
    """What bundles of one grid say together.

    Args:
        unpacked: The bundles; their files are needed only here.
        results: Where their trainings are, once they are merged.

    Raises:
        BundleError: They do not agree on what is declared or measured.
    """

    def __init__(self, unpacked: Sequence[Unpacked], results: Path):
        self._results = results
        self.grid = unpacked[0].manifest.grid
        self.trainings = {key for one in unpacked for key in one.manifest.trainings}
        self.has_weights = all(one.manifest.has_weights for one in unpacked)
        self._are_several = len(unpacked) > 1
        self._said = union([(one.origin, _collected(one)) for one in unpacked])

    def collect(self) -> Results:
        """Gather the results of the bundles' trainings from the folder that has them.

        Raises:
            RecordError: The record of a data set's check is malformed.
        """
        generated = datetime.now(UTC).isoformat(timespec="seconds")
        results = self._said.model_copy(update={"generated": generated})
        for name, run in results.runs.items():
            run.seeds = {seed: self._training(name, run, seed) for seed in run.seeds}
        for name, data in results.data.items():
            path = self._results / self.grid / "datasets" / f"{name}.json"
            data.check = DataCheck.read_current(path)
        results.image_noise = image_noise(results)
        for length in results.lengths:
            if length.grid == self.grid:
                length.runs = results_at_own_length(results.figures, results.runs)
        if self._are_several and results.looks is not None:
            results.looks.hours = hours_after_first_look(results)
        return results

    def _training(self, name: str, run: CollectedRun, seed: int) -> Training:
        if run.digest is None:
            return Training(state=State.NOT_RUN)
        key = f"{self.grid}/{name}/{run.digest}/seed{seed}"
        folder = RunFolder(self._results / key)
        if key not in self.trainings:
            if run.seeds[seed].state is State.REFUSED:
                return run.seeds[seed]
            return Training(state=State.NOT_RUN, folder=str(folder.path))
        return collect_folder(folder)


def _collected(one: Unpacked) -> Results:
    try:
        return Results.read(one.folder / COLLECTED)
    except ResultsError as error:
        said = str(error).partition(": ")[2].partition("; to have it")[0]
        raise BundleError(
            f"{one.origin}: {COLLECTED}: {said}; make the bundle anew with the same commit of the "
            "project as is used here"
        ) from None
