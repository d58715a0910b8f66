"""What a scale says of runs by the name of their base."""

import shutil
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tsd.experiments import load
from tsd.experiments.grid import possible
from tsd.experiments.load import load_experiments
from tsd.experiments.reading import DeclarationError, read_yaml, validate
from tsd.experiments.scale_schema import Scale, SettingsForBases
from tsd.experiments.settings import open_grid

NOT_THE_CASCADE = {"match": "*-rcnn_r50_fpn", "but_not": ["*cascade-rcnn_r50_fpn"]}
SMALL_SCALES = ["midi", "mini", "smoke", "transfer"]


@pytest.fixture
def folder(tmp_path):
    return Path(shutil.copytree("experiments", tmp_path / "experiments"))


@pytest.fixture
def own_base(folder, tmp_path, monkeypatch):
    """Declares a run over a base of one's own, which is Faster R-CNN by another name."""
    configs = Path(shutil.copytree(load.CONFIG_FOLDER, tmp_path / "configs"))
    monkeypatch.setattr(load, "CONFIG_FOLDER", configs)

    def declare(base):
        (configs / f"{base}.py").write_text('_base_ = "./faster-rcnn_r50_fpn.py"\n')
        run = {"id": "own", "base": base, "why": "To try it."}
        (folder / "runs" / "own.yaml").write_text(yaml.safe_dump([run]))

    return declare


def grid(folder, scale):
    return open_grid({"experiments": str(folder), "scale": scale})


@pytest.mark.parametrize(
    ("base", "applies"),
    [
        ("faster-rcnn_r50_fpn", True),
        ("double-rcnn_r50_fpn", True),
        ("tsd_mask-rcnn_r50_fpn", True),
        ("cascade-rcnn_r50_fpn", False),
        ("tsd_cascade-rcnn_r50_fpn", False),
        ("mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco", False),
    ],
)
def test_an_entry_applies_to_what_it_matches_but_not_to_its_exceptions(base, applies):
    assert SettingsForBases(**NOT_THE_CASCADE, set={}).is_for(base) == applies


@pytest.mark.parametrize(
    ("scale", "channels"), [("midi", 128), ("mini", 48), ("smoke", 48), ("transfer", 64)]
)
def test_a_base_whose_name_ends_in_an_e_is_no_cascade(folder, own_base, scale, channels):
    own_base("double-rcnn_r50_fpn")
    model = grid(folder, scale).job("own", 0).config.model
    assert model.roi_head.bbox_head.in_channels == channels
    assert (
        model.train_cfg.rcnn.sampler.num
        == grid(folder, scale).job("r50", 0).config.model.train_cfg.rcnn.sampler.num
    )


@pytest.mark.parametrize("scale", SMALL_SCALES)
def test_a_base_without_settings_is_refused_and_in_nobodys_way(folder, own_base, scale):
    others = {job.key for job in grid(folder, scale).jobs}
    own_base("own_detector")
    small = grid(folder, scale)
    message = rf"scales/{scale}\.yaml: key bases: no entry matches 'own_detector', .* of run own,"
    (job,) = small.jobs_for("own")
    with pytest.raises(DeclarationError, match=message):
        _ = job.digest
    assert {job.key for job in possible(small.jobs)} == others
    assert [job for job in small.jobs if job.mistake] == [job]
    assert small.job("r50", 0).key in others


def test_a_scale_without_settings_by_base_takes_every_base(folder, own_base):
    own_base("own_detector")
    paper = grid(folder, "paper")
    assert paper.has(paper.experiments.run("own"))
    assert paper.job("own", 0).config.model.roi_head.bbox_head.in_channels == 256


def test_a_base_that_needs_nothing_is_named_with_an_empty_set(folder, own_base):
    own_base("own_detector")
    path = folder / "scales" / "smoke.yaml"
    content = yaml.safe_load(path.read_text())
    content["bases"].append({"match": "own_detector", "set": {}})
    path.write_text(yaml.safe_dump(content))
    config = grid(folder, "smoke").job("own", 0).config
    assert config.train_cfg.max_iters == 4
    assert config.model.roi_head.bbox_head.in_channels == 256


def scale_over(folder, *entries):
    """A scale of one's own that extends mini and has these entries."""
    content = {
        "id": "own",
        "title": "own",
        "note": "own",
        "dataset": "embedded",
        "extends": "mini",
        "bases": list(entries),
    }
    (folder / "scales" / "own.yaml").write_text(yaml.safe_dump(content))
    return load_experiments(folder).scale("own")


def test_settings_for_the_same_bases_are_merged_in_the_place_of_the_scale_below(folder):
    below = load_experiments(folder).scale("mini").bases
    sampler = "model.train_cfg.rcnn.sampler.num"
    merged = scale_over(folder, {**NOT_THE_CASCADE, "set": {sampler: 7, "new": 8}}).bases
    assert [entry.bases for entry in merged] == [entry.bases for entry in below]
    (place,) = (i for i, entry in enumerate(below) if entry.but_not)
    assert merged[place].set == {**below[place].set, sampler: 7, "new": 8}
    assert below[place].set[sampler] == 32
    assert merged[:place] + merged[place + 1 :] == below[:place] + below[place + 1 :]


def test_settings_for_other_bases_come_after_those_of_the_scale_below(folder):
    below = load_experiments(folder).scale("mini").bases
    other = {"match": NOT_THE_CASCADE["match"], "but_not": ["bells_*"], "set": {"x": 1}}
    merged = scale_over(folder, other).bases
    assert merged[:-1] == below
    assert merged[-1] == SettingsForBases(**other)


def test_the_same_bases_cannot_have_two_entries(folder):
    first, second = ({**NOT_THE_CASCADE, "set": {"x": value}} for value in (1, 2))
    between = {"match": NOT_THE_CASCADE["match"], "set": {}}
    with pytest.raises(DeclarationError, match=r"own\.yaml: .*key bases: there are two entries"):
        scale_over(folder, first, between, second)


@pytest.mark.parametrize(
    ("bases", "message"),
    [
        ([{"match": "*", "but_no": [], "set": {}}], r"key 'bases\.0\.but_no'; .* 'but_not'\?"),
        ([{"match": "*"}], r"key 'bases\.0\.set' is missing"),
        ([{"match": "*", "but_not": "a", "set": {}}], r"key 'bases\.0\.but_not': .*list"),
        ({"*": {"x": 1}}, r"key 'bases': .*list"),
    ],
)
def test_mistakes_in_an_entry_are_named(bases, message):
    content = {"id": "own", "title": "own", "note": "own", "dataset": "embedded", "bases": bases}
    with pytest.raises(DeclarationError, match=f"own.yaml: .*{message}"):
        validate(Scale, content, "own.yaml")


def test_entries_may_share_their_settings_by_an_anchor():
    content = read_yaml(Path("experiments/scales/mini.yaml"))
    shared = {entry["match"]: entry["set"] for entry in content["bases"]}
    assert shared["mmdet::tridentnet/*"] == shared["mmdet::*rcnn*"]
    assert "&few_proposals" in Path("experiments/scales/mini.yaml").read_text()


names = st.text("ab-_", max_size=6)


@given(names, names, names)
def test_an_exception_takes_names_away_and_never_adds_any(base, match, exception):
    entry = SettingsForBases(match=f"*{match}", but_not=[f"*{exception}"], set={})
    assert entry.is_for(base) == (base.endswith(match) and not base.endswith(exception))
