"""The noise of the images, from the files that evaluations leave to the report's pages."""

import csv
import re
from dataclasses import replace

import numpy as np
import pytest

from tests.reporting.claims import UP, claim, gain, results, verdict
from tests.reporting.conftest import row, run, table, training
from tests.results.test_resamples import resamples
from tsd.experiments.claims_schema import Claim
from tsd.experiments.comparisons import Alone, Difference, Quantity, Quotient
from tsd.reporting import new_images, tables
from tsd.reporting.image_noise import find, gain_remarks, image_noise, of_gain
from tsd.reporting.page import write_pages, write_parts
from tsd.reporting.verdicts import Outcome, judge

DRAWS = 400
RANDOM = np.random.default_rng(0)
SHARED = RANDOM.normal(0, 3, DRAWS)
"""What the luck of a draw gives to every training."""

GAIN = Difference("a", Quantity(("AP",)), "b")


def left_by_evaluation(folder, values, **changes):
    """A training whose evaluation left resamples: AP over the draws, and 10 less at AP75."""
    folder.mkdir(parents=True)
    whole = {"AP": float(np.mean(values)), "AP75": float(np.mean(values)) - 10}
    drawn = {"AP": np.float32(values), "AP75": np.float32(values) - 10}
    resamples(whole=whole, values=drawn, **changes).write(folder / "resamples.npz")
    made = training(AP=whole["AP"], AP75=whole["AP75"], params=3.0)
    made.folder = str(folder)
    return made


def collected(folder, own=1.0, level=33.0, spread=(-0.2, 0.0, 0.2), **kinds):
    """A run `a` and its baseline `b`, whose trainings share the luck of the draws but for `own`."""
    runs = {}
    for name, mean in (("a", level), ("b", 30.0)):
        made = []
        for seed, more in enumerate(spread):
            luck = np.random.default_rng([seed, *name.encode()]).normal(0, own, DRAWS)
            values = SHARED - SHARED.mean() + luck - luck.mean() + mean + more
            made.append(left_by_evaluation(folder / f"{name}{seed}", values, **kinds))
        runs[name] = run(*made)
    rows = row("Ours", "a", "b"), row("Base", "b")
    found = results(runs, tables=[table("one", *rows, metrics=["AP", "params"])])
    found.claims = [Claim.model_validate(claim(UP))]
    found.image_noise = image_noise(found)
    return found


def test_what_a_draw_gives_to_both_drops_out(tmp_path):
    noise = find(collected(tmp_path), GAIN)
    # Means of three seeds, whose own luck alone is left: the variance is 2 × 1² / 3.
    assert noise.sd == pytest.approx((2 / 3) ** 0.5, rel=0.1)
    assert noise.sd < SHARED.std() / 3
    low, high = noise.interval
    assert low < 3 < high
    assert high - low == pytest.approx(2 * 1.96 * noise.sd, rel=0.15)
    assert (noise.images, noise.draws, noise.why_not) == (5, DRAWS, None)


def test_seeds_are_averaged_draw_by_draw_before_the_baseline_is_subtracted(tmp_path):
    found = collected(tmp_path, spread=(0.0, 1.0))
    values = {}
    for name in "ab":
        read = [np.load(tmp_path / f"{name}{seed}" / "resamples.npz") for seed in (0, 1)]
        values[name] = np.mean([one["values"][0].astype(float) for one in read], axis=0)
    assert find(found, GAIN).sd == pytest.approx(np.std(values["a"] - values["b"], ddof=1))


def test_every_kind_of_comparison_has_its_noise(tmp_path):
    found = collected(tmp_path)
    level = {"kind": "level", "runs": ["a"], "metric": "AP", "size": {"within": 1}}
    ratio = {"kind": "ratio", "pairs": [{"run": "a", "baseline": "b"}], "metric": "AP"}
    larger = {"kind": "increasing", "pairs": ratio["pairs"], "metrics": ["AP75", "AP"]}
    tests = [level, {**ratio, "direction": "up"}, larger]
    found.claims = [Claim.model_validate(claim(test)) for test in tests]
    found.image_noise = image_noise(found)
    alone = find(found, Alone("a", Quantity(("AP",))))
    assert alone.sd == pytest.approx(SHARED.std(), rel=0.1)
    low, high = find(found, Quotient("a", Quantity(("AP",)), "b")).interval
    assert 1 < low < 1.1 < high < 1.2
    # AP is AP75 and 10 in every draw, so that the two gains are equal in each of them.
    steps = find(found, Difference("a", Quantity(("AP",), ("AP75",)), "b"))
    assert steps.sd == pytest.approx(0, abs=1e-5)


def test_numbers_that_do_not_come_from_images_have_none(tmp_path):
    found = collected(tmp_path)
    (ours, _) = found.tables[0].rows
    assert of_gain(found, ours, "AP").sd is not None
    assert of_gain(found, ours, "params") is None
    found.claims = [Claim.model_validate(claim(gain("a/b", metrics=["params"], direction="up")))]
    assert new_images.line(judge(found)[0], found) == ""


REASONS = {
    "missing": r"a, seed 1, has no resamples of its images here",
    "damaged": r"a1/resamples\.npz cannot be read",
    "anew": r"a, seed 1, was evaluated anew since",
    "lacks": r"a, seed 1, has no resamples of AP",
    "others": r"tested on different images",
    "empty": r"most draws of the images have no object",
}


@pytest.mark.parametrize("fault", REASONS)
def test_what_is_not_measured_is_said_and_nothing_fails(tmp_path, fault):
    found = collected(tmp_path)
    file = tmp_path / "a1" / "resamples.npz"
    whole = {"AP": found.runs["a"].seeds[1].metrics["AP"]}
    values = np.full(DRAWS, whole["AP"], np.float32)
    match fault:
        case "missing":
            file.unlink()
        case "damaged":
            file.write_bytes(b"no archive")
        case "anew":
            found.runs["a"].seeds[1].metrics["AP"] += 0.001
        case "lacks":
            resamples(whole={"AP50": 1.0}, values={"AP50": values}).write(file)
        case "others":
            resamples(whole=whole, values={"AP": values}, drawn_from="others").write(file)
        case "empty":
            resamples(whole=whole, values={"AP": np.full(DRAWS, np.nan)}).write(file)
    found.image_noise = image_noise(found)
    noise = find(found, GAIN)
    assert (noise.sd, noise.interval) == (None, None)
    assert re.search(REASONS[fault], noise.why_not)
    (judged,) = judge(found)
    assert judged.outcome is Outcome.HOLDS
    assert new_images.on_new_images(judged, found).outcome is None
    told = new_images.line(judged, found)
    assert told.startswith("How much hangs on the choice of images was not measured: ")
    (remark,) = gain_remarks(found, found.tables[0])
    assert re.search(REASONS[fault], remark)


def test_results_without_a_folder_of_trainings_say_so(tmp_path):
    found = collected(tmp_path)
    for one in found.trainings():
        one.folder = None
    assert {noise.why_not for noise in image_noise(found)} == {"a, seed 0, has no folder"}


@pytest.mark.parametrize(("own", "expected"), [(0.1, "holds"), (6.0, "undecided")])
def test_a_verdict_on_new_images_may_differ(tmp_path, own, expected):
    found = collected(tmp_path, own=own)
    (judged,) = judge(found)
    assert judged.outcome is Outcome.HOLDS
    there = new_images.on_new_images(judged, found)
    assert there.outcome == expected
    told = new_images.line(judged, found)
    here = "as on these" if expected == "holds" else "on these it is “holds”"
    assert told.startswith(f"On new images the verdict would be “{expected}” ({here}): to draw 5 ")
    assert re.search(r"a − b: AP \(%\) [+-−]\S+ to \+\S+ \(images alone: \S+ to \S+\)\.", told)


def test_the_variances_of_seeds_and_images_add_up(tmp_path):
    found = collected(tmp_path)
    (judged,) = judge(found)
    (evidence,) = judged.counted
    noise = find(found, GAIN)
    wider = new_images.with_images(evidence, noise, 1).measured
    middle = evidence.measured.value
    for end, both in zip(evidence.measured.interval, wider.interval, strict=True):
        assert abs(both - middle) == pytest.approx(np.hypot(end - middle, 1.959964 * noise.sd))
    several = new_images.with_images(evidence, noise, 5).measured
    assert several.interval == wider.interval
    # At 1 − 5% / 5 the images reach as far as the normal quantile of 0.995 says.
    for end, both in zip(evidence.measured.wide, several.wide, strict=True):
        assert abs(both - middle) == pytest.approx(np.hypot(end - middle, 2.575829 * noise.sd))
    none = new_images.with_images(evidence, noise.model_copy(update={"sd": 0.0}), 1).measured
    assert none.interval == pytest.approx(evidence.measured.interval)


def test_a_claim_may_be_refuted_here_and_open_elsewhere(tmp_path):
    found = collected(tmp_path, own=6.0, level=27.0)
    (judged,) = judge(found)
    assert judged.outcome is Outcome.DOES_NOT
    assert new_images.on_new_images(judged, found).outcome is Outcome.UNDECIDED


def test_one_seed_has_the_noise_of_its_images_alone(tmp_path):
    found = collected(tmp_path, spread=(0.0,))
    (judged,) = judge(found)
    there = new_images.on_new_images(judged, found)
    assert there.outcome is Outcome.UNDECIDED
    assert there.noise[0].sd > 0
    if judged.counted[0].measured.interval is None:
        assert "unknown, like the spread of the seeds (images alone: " in new_images.line(
            judged, found
        )


def test_a_claim_without_results_says_nothing_of_images(tmp_path):
    found = collected(tmp_path)
    other = verdict(found, gain("c/d", direction="up"))
    assert other.outcome is Outcome.NO_RESULTS
    assert new_images.line(other, found) == ""


def test_a_comparison_without_results_stays_one(tmp_path):
    found = collected(tmp_path)
    judged = verdict(found, gain("a/b", "c/d", direction="up"))
    assert judged.outcome is Outcome.PARTIAL_RESULTS
    there = new_images.on_new_images(judged, found)
    assert there.outcome is Outcome.PARTIAL_RESULTS
    assert len(there.evidence) == 1


def test_the_report_shows_it(tmp_path):
    found = collected(tmp_path / "runs")
    path = tmp_path / "report" / "results.json"
    found.write(path)
    write_parts(path)
    write_pages(path)
    for name in ("index.html", "report.md"):
        page = (path.parent / name).read_text(encoding="utf-8")
        assert "On new images the verdict would be “" in page
    noise = find(found, GAIN)
    page = (path.parent / "index.html").read_text(encoding="utf-8")
    assert f"<small>images <span>± {noise.sd:.1f}</span></small>" in page
    assert "After a gain stands its standard error over seeds and, after “images”" in page
    lines = csv.DictReader(tables.to_csv(found, found.tables[0]).splitlines())
    of_gain_in_ap, *others = (line["gain_images_sd"] for line in lines)
    assert float(of_gain_in_ap) == pytest.approx(noise.sd)
    assert others == ["", "", ""]  # of params, and of the baseline's own row


def test_evidence_without_a_number_stays_as_it_is(tmp_path):
    found = collected(tmp_path)
    (evidence,) = judge(found)[0].counted
    absent = replace(evidence, measured=None)
    assert new_images.with_images(absent, find(found, GAIN), 1) is absent
