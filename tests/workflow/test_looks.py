"""Seeds by need as a user asks for them: looks, what they train, and what stays as it is.

Nothing is trained here: the steps of a training are replaced by ones that leave made-up results,
while the workflow, the looks and the report are the project's own. The tests share one folder and
build on one another, in the order they stand in.
"""

import shutil
import sys

import pytest
import yaml

from tests.projects import ROOT, change_yaml, copy_project, dry_run, run, snakemake
from tsd.results.collected import Results
from tsd.run_folder import read_json, write_json

AUTO = ["seeds=auto", "only=tsd_wo_pc,tsd_joint,tsd_pc"]
OPTIONS = ["--scale=smoke", "--seeds=auto", "--only=tsd_wo_pc,tsd_joint,tsd_pc"]

STEPS = """

def check_run(options: Namespace) -> None:
    write_json(job_of(options).folder.model, {})


def detect(options: Namespace) -> None:
    write_json(job_of(options).folder.path / "detect.json", {
        "key": job_of(options).key, "images": 1, "detections": 1, "seconds_per_image": 1.0,
        "device": "cpu",
    })


def evaluate(options: Namespace) -> None:
    from tsd.experiments.metrics import EVALUATION_VERSION
    from tsd.run_folder import read_json

    job = job_of(options)
    ap = read_json(Path("made-up.json"))[job.run.id][job.seed]
    record = EvaluationRecord(
        key=job.key, version=EVALUATION_VERSION, metrics={"AP": ap}, per_class={}
    )
    record.write(job.folder.metrics)
    update_status(job.folder, state="done", error=None)


def track(options: Namespace) -> None:
    TrackingRecord(experiment_id="1", run_id="f00d").write(options.out)
"""

TRAINING = """

def train(options: Namespace) -> None:
    from tsd.results.records import TrainRecord
    from tsd.run_folder import read_json

    job = job_of(options)
    known = read_json(Path("made-up.json"))[job.run.id]
    if job.seed >= len(known):
        raise SystemExit(f"{job.run.id} with seed {job.seed} is cut off")
    with Path("trained.txt").open("a") as file:
        file.write(f"{job.run.id} {job.seed}\\n")
    job.folder.weights.parent.mkdir(parents=True, exist_ok=True)
    job.folder.weights.touch()
    for path in (job.folder.trained, job.folder.train):
        TrainRecord(
            key=job.key, run=job.run.id, digest=job.digest, seed=job.seed, iterations=4,
            attempts=1, seconds_last_attempt=36.0, seconds=36.0, parameters=1, model_version=1,
            commit=None, dirty=None, versions={}, machine="none", device="cpu", threads=1,
        ).write(path)
"""


def claim(name, better, baseline):
    pair = {"run": better, "baseline": baseline}
    test = {"kind": "gain", "pairs": [pair], "metrics": ["AP"], "direction": "up"}
    return {"id": name, "quote": "q", "source": "Section 1", "statement": "It helps.", "test": test}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    project = copy_project(tmp_path_factory.mktemp("project"), ["table2", "table3"])
    shutil.copytree(ROOT / "tsd", project / "tsd")
    for name, code in (("steps", STEPS), ("training_step", TRAINING)):
        with (project / "tsd" / "cli" / f"{name}.py").open("a") as module:
            module.write(code)
    claims = [claim("clear", "tsd_joint", "tsd_wo_pc"), claim("close", "tsd_pc", "tsd_joint")]
    (project / "experiments" / "claims.yaml").write_text(yaml.safe_dump(claims))
    made_up = {"tsd_wo_pc": [1.0, 1.1], "tsd_joint": [90.0, 90.1], "tsd_pc": [92.0, 92.5]}
    write_json(project / "made-up.json", made_up)
    return project


def more_results(project):
    """Let each run have the results of a third seed."""
    values = read_json(project / "made-up.json")
    values |= {"tsd_joint": [90.0, 90.1, 89.9], "tsd_pc": [92.0, 92.5, 92.3]}
    write_json(project / "made-up.json", values)


def trained(project):
    """The trainings that were made, in the order of their names, as often as they were made."""
    return sorted((project / "trained.txt").read_text().splitlines())


FIRST_LOOK = [f"{name} {seed}" for name in ("tsd_joint", "tsd_pc", "tsd_wo_pc") for seed in (0, 1)]


def looks(project):
    (folder,) = (project / "results/smoke/looks").iterdir()
    return [read_json(path) for path in sorted(folder.glob("look*.json"))]


def test_before_anything_is_trained_the_first_look_is_planned(project):
    planned = dry_run(project, *AUTO)
    assert planned["train"] == planned["evaluate"] == planned["track"] == 6
    assert planned["look"] == planned["report"] == 1
    output = run(project, sys.executable, "-m", "tsd", "plan", *OPTIONS)
    assert "Next is look 1 of 3, at 2 seeds" in output
    assert "It makes 6 trainings, of 3 runs." in output
    assert "It can decide 2 claims: clear, close" in output


def test_a_table_that_is_named_as_a_target_is_asked_for_alone(project):
    output = run(
        project,
        *("snakemake", "-n", "--cores", "2", "--config", "scale=smoke", "seeds=auto"),
        *("--quiet", "rules", "--", "table2"),
    )
    counts = {line.split()[0]: line.split()[1] for line in output.splitlines() if line.split()[1:]}
    assert counts["train"] == "4"
    assert counts["look"] == "1"


def test_the_runs_of_the_undecided_claim_alone_are_trained_with_more_seeds(project):
    snakemake(project, "all", settings=AUTO, fails=True)  # the third seeds are cut off
    assert trained(project) == FIRST_LOOK
    (first,) = looks(project)
    assert first["decided"] == {"clear": 1}
    assert first["next"] == {"tsd_pc": 3, "tsd_joint": 3}
    assert first["may_decide"] == ["close"]
    planned = dry_run(project, *AUTO)
    assert planned["train"] == planned["evaluate"] == 2
    output = run(project, sys.executable, "-m", "tsd", "plan", *OPTIONS)
    assert "Next is look 2 of 3, at 3 seeds" in output
    assert "It makes 2 trainings, of 2 runs." in output
    assert "It can decide 1 claim: close" in output


def test_an_interrupted_grid_goes_on_until_the_claims_are_decided(project):
    more_results(project)
    snakemake(project, "all", settings=AUTO)
    assert trained(project) == sorted([*FIRST_LOOK, "tsd_joint 2", "tsd_pc 2"])
    _, second = looks(project)
    assert second["decided"] == {"clear": 1, "close": 2}
    assert second["next"] == {}


def test_the_report_has_the_seeds_that_there_are_and_says_at_which_look(project):
    collected = Results.read(project / "reports/smoke/results.json")
    seeds = {name: list(found.seeds) for name, found in collected.runs.items()}
    assert seeds["tsd_wo_pc"] == [0, 1]
    assert seeds["tsd_joint"] == seeds["tsd_pc"] == [0, 1, 2]
    for name in ("index.html", "report.md"):
        page = (project / "reports/smoke" / name).read_text()
        assert "This was decided at look 1 of 3, with 2 seeds of each run." in page
        assert "This was decided at look 2 of 3, with 3 seeds of each run." in page
    output = run(project, sys.executable, "-m", "tsd", "status", *OPTIONS)
    assert "smoke: 8 evaluated" in output
    output = run(project, sys.executable, "-m", "tsd", "headline", *OPTIONS)
    assert "2 to 3 seeds per run" in " ".join(output.split())


def test_a_second_call_does_nothing(project):
    assert dry_run(project, *AUTO) == {}
    output = run(project, sys.executable, "-m", "tsd", "plan", *OPTIONS)
    assert "No look follows: no claim is left that another look could decide." in output


def test_looks_are_taken_again_when_claims_are_edited_and_nothing_is_trained_again(project):
    def edit(claims):
        claims[1]["statement"] = "It helps a lot."
        claims[1]["test"]["pairs"] = [{"run": "tsd_pc", "baseline": "tsd_wo_pc"}]

    change_yaml(project / "experiments/claims.yaml", edit)
    planned = dry_run(project, *AUTO)
    assert planned["look"] >= 1
    assert {"train", "detect", "evaluate", "check_run"}.isdisjoint(planned)
    before = trained(project)
    snakemake(project, "all", settings=AUTO)
    assert trained(project) == before
    assert looks(project)[0]["decided"] == {"clear": 1, "close": 1}
    assert "It helps a lot." in (project / "reports/smoke/index.html").read_text()
    assert dry_run(project, *AUTO) == {}


def test_fixed_seeds_use_what_is_there_and_take_no_looks(project):
    planned = dry_run(project, "seeds=2", AUTO[1])
    assert {"train", "detect", "evaluate", "look"}.isdisjoint(planned)


def test_seeds_that_no_claim_can_choose_are_refused(project):
    output = snakemake(project, "all", settings=["seeds=auto", "only=tsd_pc"], fails=True)
    assert "none of them can be decided" in output
    assert "Traceback" not in output
