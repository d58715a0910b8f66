"""``results.json`` as a typed file."""

import json

import pytest

from tests.reporting.conftest import figure, make_results, row, run, table, training
from tsd.results.collected import RESULTS_VERSION, Results, ResultsError


@pytest.fixture
def results():
    found = make_results(
        [table("t", row("Row", "a", AP=1.5), metrics=["AP"])],
        {"a": run(training(AP=30.0, APs=None), training("failed", "why"))},
    )
    found.figures = [figure("f", "margins", {"label": "x", "points": {0.1: "a"}})]
    return found


def test_results_read_back(results, tmp_path):
    results.write(tmp_path / "results.json")
    again = Results.read(tmp_path / "results.json")
    assert again.model_dump() == results.model_dump()
    assert again.runs["a"].seeds[0].metrics == {"AP": 30.0, "APs": None}
    assert again.figure("f").series[0].points == {0.1: "a"}


@pytest.mark.parametrize("version", [0, RESULTS_VERSION + 1, None])
def test_another_version_is_refused_with_the_command_that_makes_it_anew(results, tmp_path, version):
    content = {**results.model_dump(mode="json"), "version": version}
    path = tmp_path / "results.json"
    path.write_text(json.dumps(content))
    with pytest.raises(ResultsError, match=r"results\.json: has version .*python -m tsd report"):
        Results.read(path)


def test_a_file_from_before_there_were_versions_is_refused_likewise(results, tmp_path):
    content = results.model_dump(mode="json")
    del content["version"]
    content["grid"] = content.pop("name")
    (tmp_path / "results.json").write_text(json.dumps(content))
    with pytest.raises(ResultsError, match="has no version, this project reads version"):
        Results.read(tmp_path / "results.json")


def test_a_malformed_file_is_named_with_its_key(results, tmp_path):
    content = results.model_dump(mode="json")
    content["runs"]["a"]["seeds"]["0"]["state"] = "finished"
    (tmp_path / "results.json").write_text(json.dumps(content))
    with pytest.raises(ResultsError, match=r"key runs\.a\.seeds\.0\.state"):
        Results.read(tmp_path / "results.json")


def test_unknown_names_are_told_with_those_there_are(results):
    with pytest.raises(KeyError, match="no table 'nothing' among t"):
        results.table("nothing")
    with pytest.raises(KeyError, match="no figure 'nothing' among f"):
        results.figure("nothing")
