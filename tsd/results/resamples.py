"""``resamples.npz``: a training's metrics on val splits that are drawn anew from its own.

The images of a val split are drawn with replacement, as often as there are images, and so many
times over (Efron's bootstrap). The draws are the same for all trainings that are evaluated on the
same images. So the values of two trainings belong together draw by draw, and the scatter of their
difference says how much of it hangs on the choice of images.
"""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from tsd.run_folder import replace_durably


class ResamplesError(ValueError):
    """A file of resamples cannot be used; the message names it."""


@dataclass(frozen=True, eq=False)
class Resamples:
    """Metrics of one training over the draws.

    Args:
        drawn_from: Tells the draws apart: trainings with the same text share them.
        images: How many images each draw has.
        whole: Id of a metric → its value on the images as they are; NaN where there is nothing to
            measure.
        values: Id of a metric → its values over the draws, Array[B]; NaN likewise.
    """

    drawn_from: str
    images: int
    whole: dict[str, float]
    values: dict[str, NDArray[np.float32]]

    def write(self, path: Path) -> None:
        """Write the file so that a reader sees the old one or the new one, never half of it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}")
        names = list(self.values)
        with partial.open("wb") as file:
            np.savez_compressed(
                file,
                drawn_from=np.array(self.drawn_from),
                images=np.array(self.images),
                metrics=np.array(names),
                whole=np.array([self.whole[name] for name in names], np.float64),
                values=np.array([self.values[name] for name in names], np.float32),
            )
        replace_durably(partial, path)

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """Read the file; None where there is none.

        Raises:
            ResamplesError: It is not such a file.
        """
        try:
            with np.load(path, allow_pickle=False) as content:
                names = [str(name) for name in content["metrics"]]
                return cls(
                    str(content["drawn_from"]),
                    int(content["images"]),
                    dict(zip(names, content["whole"].tolist(), strict=True)),
                    dict(zip(names, content["values"], strict=True)),
                )
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise ResamplesError(f"{path} cannot be read: {error}") from None
