"""Golden values: what the runs of a grid are expected to measure, kept in the repository.

``experiments/golden/{grid}.json`` is written by ``python -m tsd golden`` from collected results and
never by hand, and so it is no YAML file. A report compares what was measured with it.
"""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tsd.experiments.reading import DeclarationError


class ExpectedRun(BaseModel):
    """What a run is expected to measure.

    ``digest`` is that of the configuration for which it is expected. ``ap`` is the mean AP over
    ``seeds``, in percent. ``tolerance`` is how far the AP of one more training may lie from it.
    ``commits`` and ``devices`` are those of the trainings behind it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    digest: str
    ap: float
    tolerance: float = Field(gt=0)
    seeds: list[int] = Field(min_length=1)
    commits: list[str]
    devices: list[str]


class Golden(BaseModel):
    """The golden values of a grid.

    ``collected`` is when the results were gathered that they are from. ``level`` is how often, in
    percent, the AP of one more training lies within the tolerance. ``spread`` is the standard
    deviation of AP over seeds, pooled over all runs with several, and ``freedom`` its degrees of
    freedom.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    grid: str
    collected: str
    level: float
    spread: float
    freedom: int
    runs: dict[str, ExpectedRun]

    def text(self) -> str:
        """The content of the file."""
        return self.model_dump_json(indent=1) + "\n"


def golden_file(experiments: Path, grid: str) -> Path:
    """Where the golden values of a grid lie.

    Args:
        experiments: Folder of the declarations.
        grid: Name of the grid.
    """
    return experiments / "golden" / f"{grid}.json"


def load_golden(experiments: Path, grid: str) -> Golden | None:
    """The golden values of a grid; None where nobody has written any.

    Raises:
        DeclarationError: The file cannot be read.
    """
    path = golden_file(experiments, grid)
    try:
        return Golden.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "the whole"
        raise DeclarationError(
            f"{path}: key {key}: {first['msg']}; `python -m tsd golden` writes the file anew"
        ) from None
