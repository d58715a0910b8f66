"""What the grid costs at full size, from step times that are published, measured or assumed."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from tsd.experiments.declaration import Declaration
from tsd.experiments.grid import Grid, possible
from tsd.experiments.job import Job
from tsd.experiments.planning import about_other_data, absent, impossible
from tsd.experiments.reading import DeclarationError, read_yaml, validate

Kind = Literal["published", "measured", "assumed"]

KINDS: tuple[Kind, ...] = ("measured", "published", "assumed")
"""From the surest to the least sure."""


class UnknownCostError(DeclarationError):
    """Nothing that is declared says what a training costs."""


class SourcedNumber(Declaration):
    """A number and where it is from."""

    value: Annotated[float, Field(gt=0, examples=[0.1765])]
    """This is the number itself."""

    kind: Annotated[Kind, Field(examples=["published"])]
    """The number is ``published`` (someone measured and printed it), ``measured`` (by us) or
    ``assumed`` (a guess that waits to be replaced)."""

    source: Annotated[str, Field(examples=["maskrcnn-benchmark's model zoo, 8 V100"])]
    """This says where the number is from, or how it was guessed."""


class Factor(Declaration):
    """How much more a kind of run costs; ``base`` and ``backbone`` say which runs are meant."""

    factor: Annotated[float, Field(gt=0, examples=[1.3])]
    """The cost is multiplied by this number."""

    kind: Annotated[Kind, Field(examples=["assumed"])]
    """The factor is ``published`` (someone measured and printed it), ``measured`` (by us) or
    ``assumed`` (a guess that waits to be replaced)."""

    source: Annotated[str, Field(examples=["a backbone of little cost below the same heads"])]
    """This says where the factor is from, or how it was guessed."""

    base: Annotated[str | None, Field(examples=["*mask-rcnn*"])] = None
    """Only runs whose base fits this pattern are meant, in which ``*`` stands for anything."""

    backbone: Annotated[str | None, Field(examples=["r101*"])] = None
    """Only runs whose backbone fits this pattern are meant, in which ``*`` stands for anything."""

    def fits(self, job: Job) -> bool:
        """Whether a job's base or backbone is one of those meant."""
        if self.base is not None and not fnmatchcase(job.run.base, self.base):
            return False
        return self.backbone is None or (
            job.backbone is not None and fnmatchcase(job.backbone.id, self.backbone)
        )


class Costs(Declaration):
    """What a training costs at full size: seconds an image, times each factor that fits the run."""

    seconds_per_image: Annotated[
        SourcedNumber,
        Field(examples=[{"value": 0.1765, "kind": "published", "source": "a model zoo, 8 V100"}]),
    ]
    """One GPU takes this many seconds to train Faster R-CNN on ResNet-50 with one image."""

    images: Annotated[dict[str, int], Field(examples=[{"coco2017": 117266}])]
    """An epoch on a data set has this many images; each key is the name of a data set."""

    trainings: Annotated[
        dict[str, SourcedNumber],
        Field(
            default_factory=dict,
            examples=[{"midi": {"value": 300, "kind": "assumed", "source": "guessed"}}],
        ),
    ]
    """At a scale whose trainings are counted in iterations, one of Faster R-CNN takes a GPU this
    many seconds; each key is the name of a scale."""

    factors: Annotated[
        list[Factor],
        Field(
            examples=[
                [{"backbone": "r101*", "factor": 1.3, "kind": "assumed", "source": "guessed"}]
            ]
        ),
    ]
    """The cost of a run is multiplied by each of these factors that fits it. A run has no price
    where no factor with the key ``base`` fits it, or, if it names a backbone, none with the key
    ``backbone``."""

    def gpu_hours(self, job: Job) -> tuple[float, Kind]:
        """The GPU hours of a training, and how sure its least sure part is.

        Raises:
            UnknownCostError: If no factor fits its base, or none its backbone.
            DeclarationError: If the training is not counted in epochs and no cost of its scale is
                told, or if the size of its data set is not told.
        """
        seconds, kind = self._of_faster_rcnn(job)
        self._require_factors(job)
        kinds = [kind]
        for factor in self.factors:
            if factor.fits(job):
                seconds *= factor.factor
                kinds.append(factor.kind)
        return seconds / 3600, max(kinds, key=KINDS.index)

    def _require_factors(self, job: Job) -> None:
        """Refuse to price what nothing is said of as if it were Faster R-CNN on ResNet-50."""
        fitting = [factor for factor in self.factors if factor.fits(job)]
        for key, name in (("base", job.run.base), ("backbone", job.run.backbone)):
            if name is not None and all(getattr(factor, key) is None for factor in fitting):
                raise UnknownCostError(
                    f"{self.origin}: key factors: no entry fits the {key} {name!r}; add one, as in "
                    f'{{{key}: "{name}", factor: 1.0, kind: assumed, source: guessed}}'
                )

    def _of_faster_rcnn(self, job: Job) -> tuple[float, Kind]:
        """The GPU seconds of Faster R-CNN that is trained as a job is, and how sure they are."""
        if job.scale.id in self.trainings:
            told = self.trainings[job.scale.id]
            return told.value, told.kind
        train = job.config.train_cfg
        if "max_epochs" not in train:
            raise DeclarationError(f"scale {job.scale.id}: {job.run.id} is not trained in epochs")
        if job.dataset.id not in self.images:
            raise DeclarationError(f"{self.origin}: key images: {job.dataset.id} is not told")
        told = self.seconds_per_image
        return told.value * self.images[job.dataset.id] * train.max_epochs, told.kind


def load_costs(folder: Path) -> Costs:
    """The costs that a folder of experiments declares."""
    path = folder / "costs.yaml"
    return validate(Costs, read_yaml(path), str(path))


def cost_table(grid: Grid, costs: Costs) -> str:
    """GPU hours of each table, figure and run that is asked for, as Markdown.

    Of all its trainings, and of those that no line above has. Where all are asked for, runs have no
    lines of their own. Below the table stands which runs have no price because no factor fits them,
    and which cannot be made.
    """
    lines = [
        "| | trainings | GPU hours | of these not above | kind |",
        "|---|---:|---:|---:|---|",
    ]
    seen: set[str] = set()
    single = [*grid.experiments.tables, *grid.experiments.figures]
    for target in [*(single if grid.only is None else grid.only), "all"]:
        jobs = possible(grid.wanted if target == "all" else grid.jobs_for(target))
        hours = {job.key: price for job in jobs if (price := _known(costs, job)) is not None}
        total = sum(cost for cost, _ in hours.values())
        new = sum(cost for key, (cost, _) in hours.items() if key not in seen)
        assumed = sum(cost for cost, kind in hours.values() if kind == "assumed")
        seen |= hours.keys()
        kind = f"{assumed / total:.0%} assumed" if total else "—"
        if len(hours) < len(jobs):
            kind += f", {len(jobs) - len(hours)} unknown"
        lines.append(f"| {target} | {len(jobs)} | {total:,.0f} | {new:,.0f} | {kind} |")
    texts = [
        *without_factors(possible(grid.wanted), costs),
        *impossible(grid.wanted),
        *absent(grid),
        *about_other_data(grid),
    ]
    return "\n".join([*lines, *(f"\n{text}" for text in texts)])


def _known(costs: Costs, job: Job) -> tuple[float, Kind] | None:
    """The price of a training; None where no factor fits it."""
    try:
        return costs.gpu_hours(job)
    except UnknownCostError:
        return None


def without_factors(jobs: Iterable[Job], costs: Costs) -> list[str]:
    """Say which runs have no price because no factor fits them.

    Args:
        jobs: Trainings of the runs. They are compiled.
        costs: The declared costs.

    Returns:
        One text for each run; empty if the costs say something of all, or of none for the sake of
        their scale.
    """
    texts = {}
    for job in jobs:
        try:
            costs.gpu_hours(job)
        except UnknownCostError as error:
            texts[job.run.id] = f"nothing is known of what run {job.run.id} costs: {error}"
        except DeclarationError:
            continue
    return list(texts.values())
