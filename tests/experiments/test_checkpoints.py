"""Runs that take their weights from files, where such files are given."""

from pathlib import Path

import pytest

from tsd.experiments.checkpoints import content_sum, given_checkpoints
from tsd.experiments.load import load_experiments
from tsd.experiments.planning import lacking_weights
from tsd.experiments.reading import DeclarationError
from tsd.experiments.settings import open_grid

EXPERIMENTS = load_experiments(Path("experiments"))


@pytest.fixture
def files(tmp_path):
    for name in ("a.pth", "b.pth"):
        (tmp_path / name).write_text(name)
    return tmp_path


def released(files, given="released_r50={}/a.pth"):
    return open_grid({"scale": "released", "checkpoint": given.format(files)})


def test_files_are_given_by_name(files):
    given = f"released_r101={files}/a.pth, released_mask_r50={files}/b.pth"
    assert given_checkpoints(given, EXPERIMENTS) == {
        "released_r101": files / "a.pth",
        "released_mask_r50": files / "b.pth",
    }
    assert given_checkpoints("", EXPERIMENTS) == {}


def test_a_file_without_a_name_is_the_first_runs(files):
    assert given_checkpoints(f"{files}/a.pth", EXPERIMENTS) == {"released_r50": files / "a.pth"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            "released_r5={}/a.pth",
            "no run takes weights named 'released_r5'; did you mean 'released_r50",
        ),
        ("released_r50={}/c.pth", r"there is no file '.*c\.pth' for released_r50"),
        ("{}/c.pth", r"there is no file '.*c\.pth' for released_r50"),
        ("released_r50={0}/a.pth,released_r50={0}/b.pth", "there are two files for released_r50"),
    ],
)
def test_mistakes_are_named(files, given, message):
    with pytest.raises(DeclarationError, match=message):
        given_checkpoints(given.format(files), EXPERIMENTS)


@pytest.mark.parametrize("scale", ["mini", "paper"])
def test_without_files_nothing_is_seen_of_such_runs(scale):
    grid = open_grid({"scale": scale})
    assert not [job.run.id for job in grid.jobs if job.run.checkpoint]
    assert "released" not in grid.experiments.targets
    assert "released_r50" not in grid.experiments.targets
    assert lacking_weights(grid) is None


def test_the_scale_of_the_weights_says_that_it_needs_them(files):
    assert "checkpoint=released_r50=FILE" in lacking_weights(open_grid({"scale": "released"}))
    assert lacking_weights(released(files)) is None


def test_runs_whose_file_is_given_are_wanted(files):
    grid = released(files)
    assert [job.run.id for job in grid.wanted] == ["released_r50", "released_r50_at_005"]
    assert {job.checkpoint for job in grid.wanted} == {files / "a.pth"}
    assert grid.is_paper
    given = f"--checkpoint=released_r50={files}/a.pth"
    for options in (grid.command_line_options, grid.target_options, grid.report_options):
        assert given in options
    thresholds = [job.config.model.test_cfg.rcnn.score_thr for job in grid.wanted]
    assert thresholds == [0, 0.05]


def test_another_file_is_another_result(files):
    first = released(files).job("released_r50", 0)
    second = released(files, "released_r50={}/b.pth").job("released_r50", 0)
    assert first.config.checkpoint_sha256 == content_sum(files / "a.pth")
    assert first.digest != second.digest
    (files / "b.pth").write_text("a.pth")
    assert released(files, "released_r50={}/b.pth").job("released_r50", 0).digest == first.digest


def test_a_file_that_was_replaced_is_read_again(files):
    before = content_sum(files / "a.pth")
    (files / "a.pth").write_text("another")
    assert content_sum(files / "a.pth") != before
