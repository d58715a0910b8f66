import json

import pytest

METRICS = {
    "params": {"title": "#param", "unit": "M", "decimals": 1, "higher_is_better": None},
    "AP": {"title": "AP", "unit": "%", "decimals": 1, "higher_is_better": True},
    "APl": {"title": "AP l", "unit": "%", "decimals": 1, "higher_is_better": True},
}
NASTY = "A|B & c_d <script>alert(1)</script> 100% ΔC P̂_c"
REASON = "RuntimeError: loss <b>became</b> nan"


def training(state="done", error=None, **metrics):
    """One seed of a run, as it is collected."""
    done = state == "done"
    return {
        "state": state,
        "error": error,
        "iteration": None if state == "pending" else 412,
        "max_iterations": None if state == "pending" else 900,
        "folder": "results/mini/some/ab12cd34ef/seed0",
        "scheduler_job": None,
        "latency": None,
        "tracking": {"experiment_id": "1", "run_id": "f00d"} if done else None,
        "train": {
            "commit": "0123456789abcdef",
            "dirty": True,
            "iterations": 900,
            "attempts": 2,
            "seconds_last_attempt": 3725.0,
            "model_version": 1,
            "versions": {"torch": "2.1.0"},
            "machine": "x86_64",
            "device": "cpu",
            "threads": 1,
        }
        if done
        else None,
        **({"metrics": metrics} if done else {}),
    }


def run(*trainings, tables=("options",), differences=None):
    return {
        "why": "To be measured.",
        "base": "faster-rcnn_r50_fpn",
        "set": differences or {},
        "digest": "ab12cd34ef",
        "at_scale": True,
        "tables": list(tables),
        "seeds": {str(seed): training for seed, training in enumerate(trainings)},
    }


def row(label, run=None, baseline=None, note=None, attributes=None, **published):
    return {
        "label": label,
        "run": run,
        "baseline": baseline,
        "attributes": attributes or {},
        "published": published,
        "note": note,
    }


def table(name, *rows, metrics=("params", "AP", "APl"), attributes=()):
    return {
        "id": name,
        "title": f"The {name}",
        "source": "Table 1, Section 3.2",
        "attributes": list(attributes),
        "metrics": list(metrics),
        "rows": list(rows),
        "note": None,
    }


def make_results(tables, runs, is_paper=False):
    return {
        "grid": "mini",
        "generated": "2026-01-01T12:00:00+00:00",
        "commit": "fedcba9876543210",
        "dirty": False,
        "scale": {"id": "mini", "title": "minutes", "note": "A note.", "is_paper": is_paper},
        "dataset": {
            "id": "embedded",
            "title": "Digits",
            "licence": "CC BY 4.0",
            "root": "data/absent",
            "val": {"annotations": "annotations/val.json", "images": "val/"},
        },
        "metrics": METRICS,
        "tables": tables,
        "figures": [],
        "claims": [],
        "inconsistencies": [],
        "runs": runs,
    }


@pytest.fixture
def results():
    """Every state a cell can have, and a baseline that only another table publishes."""
    options = table(
        "options",
        row("Baseline", "base", params=41.8, AP=36.0, APl=46.0, attributes={"M_cls": "✓"}),
        row(NASTY, "better", "base", AP=38.5, note="Read <i>this</i>."),
        row("One seed", "single", "base", AP=37.0),
        row("Fails", "failing", "base", AP=37.5),
        row("Half fails", "half", "base", AP=37.5),
        row("Waits", "waiting", "base", AP=37.6),
        row("Stopped", "stopped", "base", AP=37.6),
        row("Runs", "going", "base", AP=37.6),
        row("Only published", None, "base", AP=30.0),
        row("Left out", "absent", "base", AP=30.0),
        attributes=["M_cls"],
    )
    others = table("others", row("Elsewhere", "better", "single", AP=39.0), metrics=["AP"])
    runs = {
        "base": run(
            training(params=3.0, AP=30.0, APl=None), training(params=3.0, AP=31.0, APl=None)
        ),
        "better": run(
            training(params=3.2, AP=32.0, APl=40.0),
            training(params=3.2, AP=34.0, APl=42.0),
            differences={"model.a": {"type": "<B>"}},
            tables=("options", "others"),
        ),
        "single": run(training(params=3.1, AP=29.0, APl=float("nan"))),
        "failing": run(training("failed", REASON + "\n  File x")),
        "half": run(training("failed", REASON), training(params=3.0, AP=33.0, APl=1.0)),
        "waiting": run(training("pending")),
        "stopped": run(training("interrupted")),
        "going": run(training("running")),
    }
    return make_results([options, others], runs)


@pytest.fixture
def collected(results, tmp_path):
    path = tmp_path / "report" / "results.json"
    path.parent.mkdir()
    path.write_text(json.dumps(results), encoding="utf-8")
    return path
