"""Runs over their seeds in MLflow: each is there once, as it is now."""

import shutil

import pytest
from mlflow import MlflowClient
from mlflow.entities import ViewType

from tsd.tracking import summaries
from tsd.tracking.store import prepare_store
from tsd.tracking.summaries import Summary, sync_summaries

HERE = "this folder of results"


@pytest.fixture(scope="module")
def uri(tmp_path_factory, empty_store):
    return f"sqlite:///{shutil.copy(empty_store, tmp_path_factory.mktemp('store'))}"


@pytest.fixture
def client(uri):
    return MlflowClient(uri, uri)


@pytest.fixture
def experiment(uri, request):
    """An experiment of the test's own."""
    prepare_store(uri, [request.node.name])
    return request.node.name


def summary(run, **metrics):
    tags = {"kind": "summary", "run": run}
    return Summary(f"mini/{run}/abc/summary", run, tags, {"seed": "all"}, metrics)


def entries(client, experiment, view=ViewType.ACTIVE_ONLY):
    number = client.get_experiment_by_name(experiment).experiment_id
    return client.search_runs([number], run_view_type=view)


def never(_tags):
    return False


def always(_tags):
    return True


def test_a_second_time_changes_nothing(uri, client, experiment, monkeypatch):
    both = [summary("a", **{"AP/mean": 30.5, "AP/n": 2.0}), summary("b", **{"AP/mean": 31.0})]
    ids = sync_summaries(uri, experiment, HERE, both, always)
    before = {run.info.run_id: run.to_dictionary() for run in entries(client, experiment)}
    assert set(before) == set(ids.values())
    run = client.get_run(ids["mini/a/abc/summary"])
    assert run.data.metrics == {"AP/mean": 30.5, "AP/n": 2.0}
    assert run.data.params == {"seed": "all"}
    assert run.data.tags["kind"] == "summary"
    assert run.info.status == "FINISHED"
    for name in ("create_run", "log_batch", "set_tag", "delete_run"):
        monkeypatch.setattr(MlflowClient, name, lambda *_, **__: pytest.fail("written again"))
    assert sync_summaries(uri, experiment, HERE, both, always) == ids
    after = {run.info.run_id: run.to_dictionary() for run in entries(client, experiment)}
    assert after == before


def test_what_is_no_longer_known_is_no_longer_there(uri, client, experiment):
    two = summary("a", **{"AP/mean": 30.5, "AP/sd": 0.5, "AP/n": 2.0})
    (first,) = sync_summaries(uri, experiment, HERE, [two], never).values()
    one = summary("a", **{"AP/mean": 30.0, "AP/n": 1.0})
    (second,) = sync_summaries(uri, experiment, HERE, [one], never).values()
    (run,) = entries(client, experiment)
    assert run.info.run_id == second != first
    assert run.data.metrics == {"AP/mean": 30.0, "AP/n": 1.0}
    assert client.get_run(first).info.lifecycle_stage == "deleted"


def test_folders_that_write_to_one_store_leave_each_others_summaries(uri, client, experiment):
    (here,) = sync_summaries(uri, experiment, HERE, [summary("a", x=1.0)], never).values()
    (there,) = sync_summaries(uri, experiment, "another", [summary("a", x=2.0)], always).values()
    assert here != there
    again = sync_summaries(uri, experiment, HERE, [summary("a", x=1.0)], always)
    assert list(again.values()) == [here]
    assert {run.info.run_id for run in entries(client, experiment)} == {here, there}


def test_a_summary_whose_trainings_are_gone_is_deleted_by_the_folder_that_wrote_it(
    uri, client, experiment
):
    sync_summaries(uri, experiment, HERE, [summary("a"), summary("b")], never)
    sync_summaries(uri, experiment, "another folder", [summary("c")], always)
    asked = []

    def b_is_gone(tags):
        asked.append(tags["run"])
        return tags["run"] == "b"

    sync_summaries(uri, experiment, HERE, [], b_is_gone)
    assert sorted(asked) == ["a", "b"]
    assert sorted(run.data.tags["run"] for run in entries(client, experiment)) == ["a", "c"]


def test_one_that_was_begun_and_broke_off_is_replaced(uri, client, experiment, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "set_terminated", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            sync_summaries(uri, experiment, HERE, [summary("a", x=1.0)], never)
    (begun,) = entries(client, experiment)
    (kept,) = sync_summaries(uri, experiment, HERE, [summary("a", x=1.0)], never).values()
    assert [run.info.run_id for run in entries(client, experiment)] == [kept]
    assert kept != begun.info.run_id


def test_names_and_values_are_adapted_and_pages_are_turned(uri, client, experiment, monkeypatch):
    search = MlflowClient.search_runs

    def two_at_once(self, *arguments, **keywords):
        return search(self, *arguments, **keywords, max_results=2)

    many = [summary(f"r{i}", **{"AP/mean*": 1.0, "AP/sd": float("nan")}) for i in range(5)]
    first = sync_summaries(uri, experiment, HERE, many, never)
    monkeypatch.setattr(MlflowClient, "search_runs", two_at_once)
    assert sync_summaries(uri, experiment, HERE, many, never) == first
    run = client.get_run(first["mini/r0/abc/summary"])
    assert run.data.metrics == {"AP/mean_U2A_": 1.0}
    assert run.data.tags[summaries.RESULTS_TAG] == HERE
