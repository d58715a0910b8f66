import re
from pathlib import Path

import pytest
import yaml

from tsd.data.coco_archives import ARCHIVES, archive_named
from tsd.data.coco_format import DatasetError


def test_an_unknown_archive_is_refused_with_the_nearest():
    with pytest.raises(DatasetError, match=r"'train2071' is known; did you mean 'train2017'"):
        archive_named("train2071")


def test_the_archives_hold_what_the_declared_data_sets_read():
    held = {path for archive in ARCHIVES.values() for path in archive.holds}
    declared = yaml.safe_load(Path("experiments/datasets/coco2017.yaml").read_text())
    for split in (declared["train"], declared["val"]):
        assert {split["annotations"], split["images"].strip("/")} <= held
    assert len({archive.md5 for archive in ARCHIVES.values()}) == len(ARCHIVES)
    assert all(re.fullmatch(r"[0-9a-f]{32}", archive.md5) for archive in ARCHIVES.values())
