"""Longer trainings: all parts of a schedule but the warm-up are multiplied, or it is refused."""

import copy
import itertools
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.experiments.test_schedule import COSINE, EPOCH_WARM_UP, STEPS, WARM_UP, rates
from tests.experiments.test_schedule import by_epoch as epochs
from tests.experiments.test_schedule import by_iteration as iterations
from tsd.experiments.length import length_in_words, lengthen, variants
from tsd.experiments.load import load_experiments
from tsd.experiments.reading import DeclarationError, validate
from tsd.experiments.scale_schema import Scale
from tsd.experiments.schedule import check_schedule
from tsd.experiments.settings import open_grid


def lengthened(config, length):
    longer = copy.deepcopy(config)
    lengthen(longer, length, "mine.yaml")
    return longer


@st.composite
def schedulers(draw):
    """A scheduler that acts from some iteration on, in a training of 40."""
    begin = draw(st.integers(0, 9))
    end = draw(st.integers(begin + 2, 40))
    kind = draw(
        st.sampled_from(
            [
                {"type": "CosineAnnealingLR", "eta_min": 0.01},
                {"type": "CosineAnnealingLR", "T_max": end - begin},
                {"type": "PolyLR", "power": 2.0, "eta_min": 0.1},
                {"type": "LinearLR", "start_factor": 1.0, "end_factor": 0.1},
                {"type": "MultiStepLR", "gamma": 0.5, "milestones": [1, 5, 7]},
                {"type": "StepLR", "gamma": 0.5, "step_size": 4},
            ]
        )
    )
    return {"by_epoch": False, "begin": begin, "end": end, **kind}


@settings(deadline=None, max_examples=60)
@given(schedulers(), st.integers(1, 5))
def test_a_scheduler_keeps_its_shape(scheduler, length):
    short = iterations(40, scheduler)
    longer = lengthened(short, length)
    assert longer["train_cfg"]["max_iters"] == 40 * length
    (of_longer,) = longer["param_scheduler"]
    before, after = rates(scheduler, 40), rates(of_longer, 40 * length)
    if scheduler["type"] in ("MultiStepLR", "StepLR"):
        assert after[::length] == pytest.approx(before)
        assert len(set(after)) == len(set(before)), "it steps nowhere else"
    else:
        # Where the rate falls in each iteration, it falls in smaller steps, by which it may differ.
        last = scheduler["end"] - 1
        for part, rate in enumerate(before[: last + 1]):
            near = after[max(part - 1, 0) * length : (part + 1) * length + 1]
            assert min(near) - 1e-6 <= rate <= max(near) + 1e-6
        step = max(abs(one - other) for one, other in itertools.pairwise(before))
        assert after[-1] == pytest.approx(before[-1], abs=step + 1e-6)
    if scheduler["type"] == "CosineAnnealingLR":
        ends = scheduler["end"]
        assert after[: ends * length : length] == pytest.approx(before[:ends])


@settings(deadline=None)
@given(st.integers(0, 20), st.integers(2, 20), st.integers(1, 9))
def test_a_warm_up_begins_later_and_lasts_as_long(begin, lasts, length):
    warm_up = {**WARM_UP, "begin": begin, "end": begin + lasts}
    (longer,) = lengthened(iterations(60, warm_up), length)["param_scheduler"]
    assert longer == {**warm_up, "begin": begin * length, "end": begin * length + lasts}


def test_a_length_need_not_be_whole_as_long_as_what_comes_out_is():
    longer = lengthened(iterations(100, WARM_UP, COSINE), 2.5)
    assert longer["train_cfg"]["max_iters"] == 250
    assert [s["end"] for s in longer["param_scheduler"]] == [50, 250]
    assert longer["param_scheduler"][1]["begin"] == 125
    assert check_schedule(longer, "mine.yaml") == []


def test_epochs_are_multiplied_as_iterations_are():
    longer = lengthened(epochs(12, EPOCH_WARM_UP, STEPS), 3)
    assert longer["train_cfg"]["max_epochs"] == 36
    warm_up, steps = longer["param_scheduler"]
    assert warm_up == EPOCH_WARM_UP
    assert (steps["milestones"], steps["begin"], steps["end"]) == ([24, 33], 0, 36)
    assert check_schedule(longer, "mine.yaml", epoch_length=100) == []


@pytest.mark.parametrize(
    ("config", "length", "message"),
    [
        (epochs(13), 1.5, r"1\.5: train_cfg\.max_epochs = 13 would become 19\.5"),
        (
            epochs(12, STEPS),
            1.5,
            r"param_scheduler\.0\.milestones\.1 = 11 would become 16\.5, which is no whole number",
        ),
        (iterations(100, {**COSINE, "begin": "50"}), 2, r"param_scheduler\.0\.begin = '50': exp"),
        (iterations(100, {"type": "OneCycleLR"}), 2, r"param_scheduler\.0 \(OneCycleLR\): .* not"),
        ({"train_cfg": {"type": "AnotherLoop"}}, 2, r"train_cfg\.type = 'AnotherLoop': it is not"),
        ({"train_cfg": {"type": "IterBasedTrainLoop"}}, 2, r"train_cfg\.max_iters = None: expec"),
    ],
)
def test_what_cannot_be_multiplied_is_refused(config, length, message):
    with pytest.raises(DeclarationError, match=f"^mine.yaml: key length: .*{message}"):
        lengthened(config, length)


@pytest.fixture
def folder(tmp_path):
    return Path(shutil.copytree("experiments", tmp_path / "experiments"))


def declare(folder, name, **keys):
    """Declare a scale; by default the same as mini, trained twice as long."""
    content = {
        "id": name,
        "title": name,
        "note": name,
        "dataset": "embedded",
        "extends": "mini",
        "length": 2,
        **keys,
    }
    content = {key: value for key, value in content.items() if value is not None}
    (folder / "scales" / f"{name}.yaml").write_text(yaml.safe_dump(content))
    return load_experiments(folder)


@pytest.mark.parametrize("length", [0, -3, float("inf"), float("nan"), "3", True])
def test_a_length_that_is_none_is_refused(length):
    content = {"id": "own", "title": "own", "note": "own", "dataset": "embedded"}
    with pytest.raises(DeclarationError, match=r"own\.yaml: key 'length'"):
        validate(Scale, {**content, "extends": "mini", "length": length}, "own.yaml")
    with pytest.raises(DeclarationError, match=r"own\.yaml: key length: 3 times as long as what"):
        validate(Scale, {**content, "length": 3}, "own.yaml")


def test_lengths_of_scales_that_extend_each_other_are_multiplied(folder):
    declare(folder, "twice")
    experiments = declare(folder, "fourfold", extends="twice")
    assert experiments.scale("fourfold").length == 4
    assert declare(folder, "same", extends="twice", length=None).scale("same").length == 2
    assert experiments.scale("mini").length == 1


@pytest.mark.parametrize("path", ["train_cfg.max_iters", "param_scheduler"])
def test_a_schedule_of_ones_own_beside_a_length_is_refused(folder, path):
    own = {"set": {path: 7}}
    with pytest.raises(DeclarationError, match=rf"own\.yaml: key set: '{path}' sets a schedule"):
        declare(folder, "own", **own).scale("own")
    (folder / "scales" / "own.yaml").unlink()
    declare(folder, "twice")
    with pytest.raises(DeclarationError, match="makes trainings 2 times as long"):
        declare(folder, "own", extends="twice", length=None, **own).scale("own")


def test_variants_differ_in_their_length_alone(folder):
    declare(folder, "twice", seeds=[0, 1], only=["r50"], resources={"runtime": 500})
    experiments = declare(folder, "twice_otherwise", set={"optim_wrapper.optimizer.lr": 0.001})

    def named(scale):
        return [other.id for other in variants(experiments, experiments.scale(scale))]

    assert named("mini") == ["twice", "mini_3x", "mini_9x"]
    assert named("mini_3x") == ["mini", "twice", "mini_9x"]
    assert named("twice_otherwise") == named("paper") == named("smoke") == []
    assert named("transfer") == ["transfer_2x", "transfer_4x"]


def test_a_scale_that_cannot_be_combined_is_no_variant_and_in_nobodys_way(folder):
    experiments = declare(folder, "twice")
    broken = experiments.scales["twice"].model_copy(update={"extends": "nothing"})
    left = replace(experiments, scales={**experiments.scales, "twice": broken})
    found = variants(left, experiments.scale("mini"))
    assert [scale.id for scale in found] == ["mini_3x", "mini_9x"]


@pytest.mark.parametrize(
    ("scale", "longer", "length"),
    [
        ("mini", "mini_3x", 3),
        ("mini", "mini_9x", 9),
        ("transfer", "transfer_2x", 2),
        ("transfer", "transfer_4x", 4),
    ],
)
def test_declared_variants_train_the_same_for_longer(scale, longer, length):
    short, long = (open_grid({"scale": name}) for name in (scale, longer))
    assert long.name == longer
    for run in ("r50", "tsd_pc", "cascade_r50_tsd"):
        of_short, of_long = (grid.job(run, 0).config.to_dict() for grid in (short, long))
        assert of_long["train_cfg"]["max_iters"] == length * of_short["train_cfg"]["max_iters"]
        assert check_schedule(of_long, run) == []
        for changed in ("train_cfg", "param_scheduler"):
            del of_short[changed], of_long[changed]
        assert of_short == of_long
        assert short.job(run, 0).digest != long.job(run, 0).digest


def test_what_a_data_set_says_of_the_schedule_is_multiplied_too(folder):
    path = folder / "datasets" / "embedded.yaml"
    content = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**content, "set": {"train_cfg.max_iters": 2000}}))
    grid = open_grid({"scale": "mini_3x", "experiments": str(folder)})
    assert grid.job("r50", 0).config.train_cfg.max_iters == 6000


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (iterations(3300), "3,300 iterations"),
        (epochs(13), "13 epochs"),
        ({"train_cfg": {"type": "AnotherLoop"}}, ""),
    ],
)
def test_a_length_is_written_in_its_own_unit(config, words):
    assert length_in_words(config) == words
