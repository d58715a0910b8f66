"""What the grid costs at full size, from step times that are published, measured or assumed."""

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from pydantic import Field

from tsd.experiments.grid import Grid, Job
from tsd.experiments.load import DeclarationError, read_yaml, validate
from tsd.experiments.schema import Declaration

Kind = Literal["published", "measured", "assumed"]

KINDS: tuple[Kind, ...] = ("measured", "published", "assumed")
"""From the surest to the least sure."""


class Sourced(Declaration):
    """A number and where it is from."""

    value: float = Field(gt=0)
    kind: Kind
    source: str


class Factor(Declaration):
    """How much more a kind of run costs."""

    factor: float = Field(gt=0)
    kind: Kind
    source: str
    base: str | None = None
    backbone: str | None = None

    def fits(self, job: Job) -> bool:
        """Whether a job's base or backbone is one of those meant."""
        if self.base is not None and not fnmatchcase(job.run.base, self.base):
            return False
        return self.backbone is None or (
            job.backbone is not None and fnmatchcase(job.backbone.id, self.backbone)
        )


class Costs(Declaration):
    """``costs.yaml``."""

    seconds_per_image: Sourced
    images: dict[str, int]
    factors: list[Factor]

    def gpu_hours(self, job: Job) -> tuple[float, Kind]:
        """The GPU hours of a training, and how sure its least sure part is.

        Raises:
            DeclarationError: If the training is not counted in epochs, or the size of its data set
                is not told.
        """
        train = job.config.train_cfg
        if "max_epochs" not in train:
            raise DeclarationError(f"scale {job.scale.id}: {job.run.id} is not trained in epochs")
        if job.dataset.id not in self.images:
            raise DeclarationError(f"{self.origin}: key images: {job.dataset.id} is not told")
        seconds = self.seconds_per_image.value * self.images[job.dataset.id] * train.max_epochs
        kinds = [self.seconds_per_image.kind]
        for factor in self.factors:
            if factor.fits(job):
                seconds *= factor.factor
                kinds.append(factor.kind)
        return seconds / 3600, max(kinds, key=KINDS.index)


def load_costs(folder: Path) -> Costs:
    """The costs that a folder of experiments declares."""
    path = folder / "costs.yaml"
    return validate(Costs, read_yaml(path), str(path))


def cost_table(grid: Grid, costs: Costs) -> str:
    """GPU hours of each table and figure as Markdown.

    Of all its trainings, and of those that no line above has.
    """
    lines = [
        "| | trainings | GPU hours | of these not above | kind |",
        "|---|---:|---:|---:|---|",
    ]
    seen: set[str] = set()
    for target in [*grid.experiments.tables, *grid.experiments.figures, "all"]:
        jobs = grid.jobs if target == "all" else grid.jobs_for(target)
        hours = {job.key: costs.gpu_hours(job) for job in jobs}
        total = sum(cost for cost, _ in hours.values())
        new = sum(cost for key, (cost, _) in hours.items() if key not in seen)
        assumed = sum(cost for cost, kind in hours.values() if kind == "assumed")
        seen |= hours.keys()
        kind = f"{assumed / total:.0%} assumed" if total else "—"
        lines.append(f"| {target} | {len(jobs)} | {total:,.0f} | {new:,.0f} | {kind} |")
    return "\n".join(lines)
