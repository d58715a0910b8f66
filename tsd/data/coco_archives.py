"""COCO's archives: where each lies on COCO's server, its checksum, and what is in it.

COCO publishes no checksums. Those here are the MD5 sums that independent projects check their
downloads against. With them a mirror can be trusted as much as COCO's own server.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from tsd.data.coco_format import DatasetError, near_names


@dataclass(frozen=True)
class Archive:
    """One of COCO's zip files.

    Attributes:
        address: Where the file lies, below the base URL of the server.
        md5: MD5 sum of the file, in hexadecimal.
        size: Size of the file in bytes, or None where no source gives it.
        holds: What the file unpacks to: path below the data set's root → number of files there.
    """

    address: str
    md5: str
    size: int | None
    holds: Mapping[str, int]

    @property
    def name(self) -> str:
        """The name of the file."""
        return PurePosixPath(self.address).name


def _images(split: str, count: int, size: int, md5: str) -> Archive:
    return Archive(f"zips/{split}.zip", md5, size, {split: count})


def _annotations(name: str, size: int | None, md5: str, *files: str) -> Archive:
    held = {f"annotations/{file}.json": 1 for file in files}
    return Archive(f"annotations/{name}.zip", md5, size, held)


# The MD5 sums of 2017's files are in google-deepmind/dm_nevis,
# dm_nevis/datasets_storage/handlers/coco.py (all five), and in PaddlePaddle/PaddleDetection,
# ppdet/utils/download.py (all but test2017). Those of 2014's files are in PaddlePaddle's COCO
# download script of 2019 (all three), and those of 2014's images in salesforce/LAVIS,
# lavis/datasets/download_scripts/download_coco.py, too. The sizes are what COCO's server says, as
# many published logs show.
ARCHIVES: dict[str, Archive] = {
    PurePosixPath(archive.address).stem: archive
    for archive in (
        _images("train2017", 118287, 19336861798, "cced6f7f71b7629ddf16f17bbcfab6b2"),
        _images("val2017", 5000, 815585330, "442b8da7639aecaf257c1dceb8ba8c80"),
        _images("test2017", 40670, 6646970404, "77ad2c53ac5d0aea611d422c0938fb35"),
        _images("train2014", 82783, 13510573713, "0da8c0bd3d6becc4dcb32757491aca88"),
        _images("val2014", 40504, 6645013297, "a3d79f5ed8d289b7a7554ce06a5782b3"),
        _annotations(
            "annotations_trainval2017",
            252907541,
            "f4bbac642086de4f52a3fdda2de5fa2c",
            "instances_train2017",
            "instances_val2017",
        ),
        _annotations(
            "image_info_test2017",
            None,
            "85da7065e5e600ebfee8af1edb634eb5",
            "image_info_test2017",
            "image_info_test-dev2017",
        ),
        _annotations(
            "annotations_trainval2014",
            252872794,
            "0a379cfc70b0e71301e0f377548639bd",
            "instances_train2014",
            "instances_val2014",
        ),
    )
}
"""COCO's archives that this project has a use for, by file name without ``.zip``."""


def archive_named(name: str) -> Archive:
    """Return the archive of that name.

    Raises:
        DatasetError: There is none. Names those that are called alike.
    """
    if name not in ARCHIVES:
        raise DatasetError(f"no archive {name!r} is known; {near_names(name, ARCHIVES)}")
    return ARCHIVES[name]
