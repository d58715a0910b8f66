import json

import numpy as np
import pytest
from PIL import Image

from tsd.reporting.sensitivity_figure import draw_sensitivity, peak, peak_distance


@pytest.fixture
def instance(tmp_path):
    Image.new("RGB", (80, 60), (90, 120, 60)).save(tmp_path / "image.png")
    scores, overlaps = np.full((5, 7), 0.1), np.full((5, 7), 0.2)
    scores[1, 2] = 0.9
    overlaps[4, 6] = 0.8
    return {
        "image": str(tmp_path / "image.png"),
        "class": "$a$",
        "box": [20.0, 20.0, 50.0, 40.0],
        "stride": 4,
        "x": [17.5, 23.5, 29.5, 35.5, 41.5, 47.5, 53.5],
        "y": [18.0, 24.0, 30.0, 36.0, 42.0],
        "classification": scores.tolist(),
        "localization": overlaps.tolist(),
    }


@pytest.fixture
def draw(collected, results, tmp_path):
    """Draws a figure of the run ``base``, from instances if there are any, gives its caption."""

    def draw_with(instances=None, run="base"):
        results["figures"] = [
            {
                "id": "figure1",
                "title": "Where it works",
                "source": "Figure 1",
                "kind": "sensitivity",
                "series": [{"label": "sibling head", "run": run, "points": {}, "published": None}],
                "note": None,
            }
        ]
        for seed, training in results["runs"]["base"]["seeds"].items():
            training["folder"] = str(tmp_path / f"seed{seed}")
        if instances is not None:
            (tmp_path / "seed1").mkdir()
            content = json.dumps({"key": "k", "margin": 0.25, "instances": instances})
            (tmp_path / "seed1" / "sensitivity.json").write_text(content, encoding="utf-8")
        collected.write_text(json.dumps(results), encoding="utf-8")
        draw_sensitivity(collected, "figure1", tmp_path / "figure1")
        return (tmp_path / "figure1.txt").read_text(encoding="utf-8")

    return draw_with


def test_the_peaks_and_how_far_they_are_apart(instance):
    assert peak(instance, "classification") == (29.5, 24.0, 0.9)
    assert peak(instance, "localization") == (53.5, 42.0, 0.8)
    assert peak_distance(instance) == pytest.approx(30 / np.hypot(30, 20))


def test_a_row_for_each_instance(draw, instance, tmp_path):
    heights = []
    for count in (1, 3):
        caption = draw([instance] * count)
        with Image.open(tmp_path / "figure1.png") as picture:
            heights.append(picture.height)
        (tmp_path / "seed1" / "sensitivity.json").unlink()
        (tmp_path / "seed1").rmdir()
    assert heights[1] - heights[0] > 500
    assert "base (seed 1; 0123456789, dirty)" in caption
    assert "0.83, 0.83, 0.83 of the box’s diagonal apart" in caption
    assert (tmp_path / "figure1.svg").exists()


def test_flat_maps_of_an_untrained_head_are_drawn(draw, instance, tmp_path):
    for task in ("classification", "localization"):
        instance[task] = np.full((5, 7), 0.09).tolist()
    draw([instance])
    assert (tmp_path / "figure1.pdf").stat().st_size > 10000


@pytest.mark.parametrize("shape", [(1, 7), (5, 1)])
def test_maps_of_a_single_row_or_column_are_drawn(draw, instance, shape, tmp_path):
    height, width = shape
    instance["y"], instance["x"] = instance["y"][:height], instance["x"][:width]
    for task in ("classification", "localization"):
        instance[task] = np.asarray(instance[task])[:height, :width].tolist()
    draw([instance])
    assert (tmp_path / "figure1.png").stat().st_size > 10000


@pytest.mark.parametrize(
    ("instances", "run", "state"),
    [(None, "base", "base"), (None, "waiting", "waiting (not run)"), ([], "base", "seed 1")],
)
def test_without_maps_the_figure_is_drawn_all_the_same(draw, instances, run, state, tmp_path):
    assert state in draw(instances, run)
    assert (tmp_path / "figure1.svg").exists()


def test_an_image_that_is_gone_is_left_out(draw, instance):
    gone = {**instance, "image": instance["image"] + ".gone"}
    assert "lie 0.83 of" in draw([gone, instance])
