"""Which claims and trainings seeds by need are about, and which settings are refused."""

from dataclasses import replace

import pytest

from tests.experiments.test_look_files import look
from tsd.experiments.looks import decidable, jobs_of_look
from tsd.experiments.reading import DeclarationError, validate
from tsd.experiments.scale_schema import Scale
from tsd.experiments.settings import open_grid


def auto(**settings):
    return open_grid({"scale": "mini", "seeds": "auto", **settings})


def ids(claims):
    return {claim.id for claim in claims}


def test_a_claim_is_decidable_where_all_of_its_runs_are_asked_for():
    assert "pc_ap" in ids(decidable(auto(only="table3")))
    assert "joint_training_helps" not in ids(decidable(auto(only="table3")))
    assert "joint_training_helps" in ids(decidable(auto(only="table2,table3")))


def test_claims_that_the_scale_cannot_tell_are_not_decidable():
    by_id = {claim.id: claim for claim in auto().claims}
    found = ids(decidable(auto(only="all")))
    assert by_id["best_r101"].test.expected_range() is None
    assert "best_r101" not in found  # only the paper's scale can decide it
    assert "openimages_cascade" not in found  # other data stand in for its own
    assert "r50_smaller_than_r152" not in found  # there is no chance in it
    assert "best_r101" in ids(decidable(open_grid({"scale": "paper", "seeds": "auto"})))


def test_a_claim_about_runtimes_needs_a_table_that_has_them():
    runs = "r50,tsd_pc,r101,r101_tsd,r101_dcn,r101_dcn_tsd,r152,r152_tsd,x101,x101_tsd"
    assert "ten_percent_time" in ids(decidable(auto(scale="paper", only="table5")))
    assert "ten_percent_time" not in ids(decidable(auto(scale="paper", only=runs)))
    assert "three_to_five" in ids(decidable(auto(scale="paper", only=runs)))


def test_a_claim_about_another_protocol_is_not_decidable():
    grid = auto()
    (claim,) = (claim for claim in grid.claims if claim.id == "pc_ap")
    about = claim.model_copy(update={"protocol": "released"})
    assert decidable(replace(grid, claims=(claim,)))
    assert not decidable(replace(grid, claims=(about,)))


def test_runs_have_the_seeds_of_their_looks_and_those_of_their_own():
    grid = auto(only="table2,table3")
    own = grid.experiments.runs["tsd_pc"].model_copy(update={"seeds": [7]})
    runs = {**grid.experiments.runs, "tsd_pc": own}
    grid = replace(grid, experiments=replace(grid.experiments, runs=runs))
    before = [look(1, {}, {"tsd_joint": 3})]
    seeds: dict[str, list[int]] = {}
    for job in jobs_of_look(grid, before):
        seeds.setdefault(job.run.id, []).append(job.seed)
    assert seeds["tsd_joint"] == [0, 1, 2]
    assert seeds["tsd_wo_pc"] == [0, 1]
    assert seeds["tsd_pc"] == [7]


def test_a_grid_lists_the_seeds_of_the_looks_that_are_taken(tmp_path):
    settings = {"scale": "mini", "seeds": "auto", "only": "table2"}
    grid = open_grid(settings, tmp_path)
    assert [job.seed for job in grid.jobs_of("tsd_joint")] == [0, 1]
    look(1, {}, {"tsd_joint": 3}).write(grid.looks.path(1))
    assert [job.seed for job in grid.jobs_of("tsd_joint")] == [0, 1, 2]
    assert [job.seed for job in grid.jobs_of("tsd_wo_pc")] == [0, 1]
    other = open_grid({**settings, "only": "table3"}, tmp_path)
    assert [job.seed for job in other.jobs_of("tsd_joint")] == [0, 1]


def test_every_selection_and_protocol_has_looks_of_its_own():
    grids = [
        auto(),
        auto(only="all"),
        auto(only="table2"),
        auto(only="table2,table3"),
        auto(only="table2", protocol="released"),
    ]
    assert len({grid.looks.folder for grid in grids}) == len(grids)
    assert auto(only="table3,table2").looks == auto(only="table2,table3").looks
    assert auto(only="table2").asking_for(["table3"]).looks == auto(only="table3").looks
    assert "--only=table3" in auto(only="table2").asking_for(["table3"]).report_options


def test_with_a_fixed_number_of_seeds_there_are_no_looks():
    grid = open_grid({"scale": "mini", "seeds": "3"})
    assert grid.looks is None
    assert [job.seed for job in grid.jobs_of("r50")] == [0, 1, 2]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"seeds": "auot"}, r"setting seeds: 'auot' is not how many.*; did you mean 'auto'\?"),
        ({"seeds": "-1"}, r"setting seeds: '-1' is not how many.*as many as the claims need$"),
        ({"seeds": "auto", "only": "figure1"}, r"setting seeds: 'auto' needs claims.*\(figure1\)"),
        ({"seeds": "auto", "only": "tsd_pc"}, r"none of them can be decided"),
    ],
)
def test_seeds_that_cannot_be_chosen_are_refused(settings, message):
    with pytest.raises(DeclarationError, match=message):
        open_grid({"scale": "mini", **settings})


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"looks": [2, 5, 3]}, "key 'looks': .*have to grow, and 3 follows 5"),
        ({"looks": [2, 2]}, "key 'looks': .*have to grow, and 2 follows 2"),
        ({"looks": [1, 3]}, r"key 'looks\.0': .*a number of 2 or more"),
        ({"looks": []}, "key 'looks': .*1 entry or more"),
        ({"budget_hours": 0}, "key 'budget_hours': .*a number above 0"),
        ({"budget_hours": -3.5}, "key 'budget_hours': .*a number above 0"),
    ],
)
def test_faulty_looks_of_a_scale_are_refused(keys, message):
    content = {"id": "own", "title": "t", "note": "n", "dataset": "embedded", **keys}
    with pytest.raises(DeclarationError, match=message):
        validate(Scale, content, "own.yaml")
