"""Values that no training can have are refused where they are set."""

import math
import re
from dataclasses import replace

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tsd.experiments import compile as compile_module
from tsd.experiments import load
from tsd.experiments.compile import apply_differences
from tsd.experiments.reading import DeclarationError
from tsd.experiments.settings import open_grid
from tsd.experiments.value_ranges import RANGES, require_in_range
from tsd.models.progressive_constraint import ProgressiveConstraint

NAN = math.nan


@pytest.fixture(scope="module")
def mini():
    return open_grid({"scale": "mini"})


@pytest.mark.parametrize(
    ("path", "value", "where", "expected"),
    [
        ("train_dataloader.batch_size", 0, "", "a whole number of 1 or more"),
        ("train_dataloader.batch_size", -3, "", "a whole number of 1 or more"),
        ("train_dataloader.num_workers", -1, "", "a whole number of 0 or more"),
        ("optim_wrapper.optimizer.lr", 0.0, "", "a number above 0"),
        ("optim_wrapper.optimizer.lr", NAN, "", "a number above 0"),
        ("optim_wrapper.optimizer.lr", math.inf, "", "a number above 0"),
        ("optim_wrapper.optimizer", {"lr": 1.0, "weight_decay": -0.1}, ".weight_decay", "of 0 or"),
        ("optim_wrapper.accumulative_counts", 0, "", "a whole number of 1 or more"),
        ("train_cfg", {"max_iters": 0}, ".max_iters", "a whole number of 1 or more"),
        ("train_cfg", {"max_iters": 1.5}, ".max_iters", "a whole number of 1 or more"),
        ("train_cfg.val_interval", 0, "", "a whole number of 1 or more"),
        ("pipeline.Resize.scale", [160, 0], ".1", "a number above 0"),
        ("pipeline.Resize.scales", [[160, 160], [0, 160]], ".1.0", "a number above 0"),
        ("model.bbox_head.num_classes", 0, "", "a whole number of 1 or more"),
        ("param_scheduler", [{}, {"start_factor": 0}], ".1.start_factor", "above 0, up to 1"),
        ("model.roi_head.progressive_constraint.m_c", -0.6, "", "a number of 0 or more, up to 1"),
        ("model.anything", {"at": [{"all": NAN}]}, ".at.0.all", "expected a number, found nan"),
    ],
)
def test_a_value_that_no_training_can_have_is_refused_with_its_place(path, value, where, expected):
    content = _config(path)
    with pytest.raises(DeclarationError) as caught:
        apply_differences(content, {path: value}, "runs/own.yaml: run own")
    start = f"runs/own.yaml: run own: key set: path '{path}{where}': expected "
    assert str(caught.value).startswith(start)
    assert expected in str(caught.value)


def _config(path):
    """A config that has a setting at the path, of which nothing is known."""
    content = None
    for key in reversed(path.split(".")):
        content = {key: content}
    return content


@given(st.sampled_from(sorted(RANGES)), st.integers(-3, 3) | st.floats(-3, 3))
def test_the_name_of_a_setting_says_which_numbers_it_may_have(name, number):
    valid = RANGES[name]
    if valid.has(number):
        require_in_range({"a": [{name: [number]}]}, "model", "x: ")
        assert valid.least <= number <= valid.most
    else:
        with pytest.raises(
            DeclarationError, match=rf"^x: 'model\.a\.0\.{name}\.0': expected {valid}"
        ):
            require_in_range({"a": [{name: [number]}]}, "model", "x: ")


@given(st.floats(-2, 2) | st.just(NAN))
def test_margins_are_refused_as_the_model_would_refuse_them(margin):
    refused = not RANGES["m_c"].has(margin) or math.isnan(margin)
    assert RANGES["m_c"] == RANGES["m_r"]
    for name in ("m_c", "m_r"):
        if refused:
            with pytest.raises(ValueError, match=f"{name} is "):
                ProgressiveConstraint(**{name: margin})
        else:
            assert ProgressiveConstraint(**{name: margin})


def test_what_a_switch_or_a_text_is_called_does_not_matter():
    require_in_range({"lr": "auto", "scale": None, "prob": True, "num_classes": {}}, "", "x: ")


def test_a_plan_says_it_of_all_runs_of_a_faulty_scale(tmp_path):
    own = {"id": "own", "title": "t", "note": "n", "dataset": "embedded", "extends": "mini"}
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump({**own, "set": {"train_dataloader.batch_size": 0}}))
    job = open_grid({"scale": str(path), "only": "r50"}).job("r50", 0)
    start = f"{path}: key set: path 'train_dataloader.batch_size': expected a whole number of 1"
    assert job.mistake.startswith(start)


def test_a_faulty_base_is_named(tmp_path, monkeypatch, mini):
    (tmp_path / "faulty.py").write_text("train_dataloader = dict(batch_size=0)\n")
    monkeypatch.setattr(load, "CONFIG_FOLDER", tmp_path)
    message = re.escape(f"{tmp_path / 'faulty.py'}: 'train_dataloader.batch_size': expected")
    with pytest.raises(DeclarationError, match=message):
        compile_module._content_of_base("faulty")


def test_a_run_does_not_say_how_many_classes_there_are(mini):
    job = mini.job("r50", 0)

    def with_classes(number):
        run = job.run.model_copy(update={"set": {"model.roi_head.bbox_head.num_classes": number}})
        return replace(job, run=run.with_origin("runs/own.yaml: run own"))

    assert with_classes(10).digest == job.digest
    message = "runs/own.yaml: run own: key set: num_classes is 5, and the data set embedded has 10"
    with pytest.raises(DeclarationError, match=message):
        _ = with_classes(5).digest
