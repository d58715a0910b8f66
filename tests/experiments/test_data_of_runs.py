"""Which data a run is about, which it trains on, and where a user's data set stands in."""

import pytest
import yaml

from tsd.experiments.planning import about_other_data
from tsd.experiments.reading import DeclarationError
from tsd.experiments.settings import open_grid

OPENIMAGES = "oi_r50"


def dataset_file(tmp_path, **changes):
    own = {
        "id": "aquarium",
        "title": "Aquarium, sea animals",
        "licence": "CC BY 4.0",
        "root": str(tmp_path),
        "train": {"annotations": "train.json", "images": "train/"},
        "val": {"annotations": "val.json", "images": "val/"},
        "classes": ["fish", "shark"],
    }
    (tmp_path / "own.yaml").write_text(yaml.safe_dump({**own, **changes}))
    return str(tmp_path / "own.yaml")


def own_grid(tmp_path, scale, **changes):
    return open_grid({"scale": scale, "dataset": dataset_file(tmp_path, **changes)})


def facts(grid, name):
    run = grid.experiments.run(name)
    papers = grid.dataset_of_paper(run)
    return (
        papers.id,
        grid.is_on_papers_data(run),
        grid.is_about_these_data(run),
        grid.has(run),
    )


@pytest.mark.parametrize(
    ("scale", "run", "expected"),
    [
        ("paper", "r50", ("coco2017", True, True, True)),
        ("paper", OPENIMAGES, ("openimages-challenge", True, True, True)),
        ("mini", "r50", ("coco2017", False, True, True)),
        ("mini", OPENIMAGES, ("openimages-challenge", False, False, True)),
    ],
)
def test_a_run_is_about_the_data_that_it_names(scale, run, expected):
    assert facts(open_grid({"scale": scale}), run) == expected


@pytest.mark.parametrize("scale", ["paper", "midi", "mini", "transfer"])
def test_a_users_data_stand_for_the_scales_and_for_no_others(scale, tmp_path):
    grid = own_grid(tmp_path, scale)
    assert facts(grid, "r50") == ("coco2017", False, True, True)
    assert facts(grid, OPENIMAGES) == ("openimages-challenge", False, False, False)
    assert not [job for job in grid.jobs if job.run.dataset is not None]
    assert grid.jobs_for("table6") == []
    assert grid.job(OPENIMAGES, 0).dataset.id == "aquarium"  # for who asks for just this training
    assert not grid.is_paper


def test_runs_that_are_left_out_are_told(tmp_path):
    settings = {"scale": "paper", "dataset": dataset_file(tmp_path)}
    (said,) = about_other_data(open_grid({**settings, "only": "table6,table1"}))
    assert said.startswith("left out on the data set aquarium: 8 runs (oi_r50, oi_r50_tsd, ")
    assert said.endswith("about the data set openimages-challenge")
    (said,) = about_other_data(open_grid({**settings, "only": "oi_r50"}))
    assert ": run oi_r50, about" in said
    assert about_other_data(open_grid({**settings, "only": "table1"})) == []
    assert about_other_data(open_grid({"scale": "mini", "only": "all"})) == []


def test_the_same_data_under_another_name_count_as_the_same(tmp_path):
    copy = own_grid(tmp_path, "paper", same_as="coco2017")
    assert copy.is_paper
    assert facts(copy, "r50") == ("coco2017", True, True, True)
    assert facts(copy, OPENIMAGES) == ("openimages-challenge", False, False, False)
    images = own_grid(tmp_path, "paper", same_as="openimages-challenge")
    assert facts(images, OPENIMAGES) == ("openimages-challenge", True, True, True)
    assert facts(images, "r50") == ("coco2017", False, True, True)


def test_the_papers_own_files_of_coco_count_as_coco():
    grid = open_grid({"scale": "paper", "dataset": "coco2014-minival"})
    assert grid.is_paper
    assert grid.is_on_papers_data(grid.experiments.run("r50"))


def test_data_are_the_same_as_declared_ones_only(tmp_path):
    with pytest.raises(DeclarationError, match=r"own\.yaml: key same_as: .*'coco'.*did you mean"):
        own_grid(tmp_path, "mini", same_as="coco")


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Aquarium, sea animals", "Aquarium"),
        ("COCO 2017 (train 118k)", "COCO 2017"),
        ("Plain", "Plain"),
        ("(odd)", "(odd)"),
        ("A: b; c", "A"),
    ],
)
def test_texts_call_a_data_set_by_the_start_of_its_title(tmp_path, title, name):
    assert own_grid(tmp_path, "mini", title=title).dataset.name == name
