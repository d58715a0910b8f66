"""A file of the user's own is not taken for something that is declared."""

import re
import shutil
from pathlib import Path

import pytest
import yaml

from tsd.experiments.reading import DeclarationError
from tsd.experiments.settings import open_grid

KINDS = {"dataset": "coco2017", "scale": "paper", "protocol": "released"}
NOUNS = {"dataset": "data set", "scale": "scale", "protocol": "protocol"}


def declared_file(setting):
    return Path("experiments", f"{setting}s", f"{KINDS[setting]}.yaml")


def opened(setting, path):
    return open_grid({"scale": "paper", "only": "r50", setting: str(path)})


def own_file(setting, folder, **changes):
    content = yaml.safe_load(declared_file(setting).read_text())
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump({**content, **changes}, allow_unicode=True))
    return path


@pytest.mark.parametrize("setting", KINDS)
def test_an_id_that_is_taken_is_refused_with_both_files_and_what_helps(setting, tmp_path):
    path = own_file(setting, tmp_path, title="Mine")
    message = (
        f"{path}: key id: '{KINDS[setting]}' is the id of the {NOUNS[setting]} in "
        f"{declared_file(setting)}, whose content is another"
    )
    with pytest.raises(DeclarationError, match=re.escape(message)) as caught:
        opened(setting, path)
    assert "give it an id of its own" in str(caught.value)
    remedy = "same_as" if setting == "dataset" else "extends"
    assert f"`{remedy}: {KINDS[setting]}`" in str(caught.value)
    assert opened(setting, own_file(setting, tmp_path, title="Mine", id="mine"))


@pytest.mark.parametrize("setting", KINDS)
def test_the_declared_file_itself_and_a_copy_of_it_go_on_working(setting, tmp_path):
    by_id = opened(setting, KINDS[setting])
    copy = Path(shutil.copy(declared_file(setting), tmp_path / "copy.yaml"))
    for path in (declared_file(setting), copy):
        grid = opened(setting, path)
        assert grid.report_name == by_id.report_name
        assert grid.is_paper == by_id.is_paper
        assert grid.job("r50", 0).key == by_id.job("r50", 0).key


def test_other_data_under_the_papers_id_do_not_become_comparable(tmp_path):
    own = {"classes": list("0123456789"), "root": str(tmp_path)}
    with pytest.raises(DeclarationError, match="key id: 'coco2017' is the id of"):
        opened("dataset", own_file("dataset", tmp_path, **own))
    grid = opened("dataset", own_file("dataset", tmp_path, **own, id="digits"))
    assert not grid.is_paper
    assert grid.name == "paper-digits"


def test_a_scale_that_extends_the_one_whose_id_it_has_is_told_that_the_id_is_taken(tmp_path):
    own = {"id": "mini", "extends": "mini", "title": "t", "note": "n", "dataset": "embedded"}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(own))
    with pytest.raises(DeclarationError, match=r"mine\.yaml: key id: 'mini' is the id of the sc"):
        open_grid({"scale": str(tmp_path / "mine.yaml")})


def test_a_default_that_is_spelt_out_makes_another_scale(tmp_path):
    """In a scale that extends another it overrules what that one says."""
    content = yaml.safe_load(Path("experiments/scales/smoke.yaml").read_text())
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({**content, "pretrained": True}))
    with pytest.raises(DeclarationError, match="'smoke' is the id of the scale in"):
        open_grid({"scale": str(tmp_path / "mine.yaml")})
