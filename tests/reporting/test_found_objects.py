"""What a trained network finds in the images of the contact sheet."""

import json
from pathlib import Path

from PIL import Image

from tests.reporting.claims import UP, claim, measured, results
from tsd.reporting.found_objects import LEAST_SCORE, detector_of, found_in
from tsd.reporting.sample_sheet import MOST_NAMES, _sheet, draw_samples, pick_samples


def detection(image, score, category=7, box=(1, 2, 30, 40)):
    return {"image_id": image, "score": score, "category_id": category, "bbox": list(box)}


def write(path, found):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found), encoding="utf-8")
    return path


def test_the_run_that_the_first_claim_is_about_is_looked_at(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    collected = results(measured(b=[30.0], a=[33.0, 34.0]), claims=[claim(UP)])
    for name, run in collected.runs.items():
        for seed, training in run.seeds.items():
            training.folder = f"results/{name}/seed{seed}"
    assert detector_of(collected) is None
    write(Path("results/b/seed0/detections.json"), [])
    assert detector_of(collected).run == "b"
    write(Path("results/a/seed1/detections.json"), [])
    found = detector_of(collected)
    assert (found.run, found.seed) == ("a", 1)


def test_detections_with_a_low_score_and_of_other_images_are_left_out(tmp_path):
    low, high = detection(0, LEAST_SCORE - 0.01), detection(0, LEAST_SCORE, 9)
    file = write(tmp_path / "d.json", [low, high, detection(0, 0.9), detection(1, 0.9)])
    assert found_in(file, [0, 2]) == {0: [(7, [1, 2, 30, 40]), (9, [1, 2, 30, 40])], 2: []}


def test_detections_stand_beside_annotations_and_many_boxes_have_no_names(tmp_path):
    Image.new("RGB", (64, 48)).save(tmp_path / "0.png")
    content = {
        "images": [{"id": 0, "file_name": "0.png", "width": 64, "height": 48}],
        "categories": [{"id": 7, "name": "cat"}],
        "annotations": [{"image_id": 0, "bbox": [1, 2, 30, 40], "category_id": 7, "id": 1}],
    }
    annotations = write(tmp_path / "val.json", content)
    many = write(tmp_path / "d.json", [detection(0, 0.9)] * (MOST_NAMES + 1))
    sheet = _sheet(pick_samples(annotations, tmp_path, 1, many))
    left, right = sheet.axes
    assert (left.get_title(), right.get_title()) == ("annotated (1)", "detected (26)")
    assert [text.get_text() for text in left.texts] == ["cat"]
    assert (len(right.patches), len(right.texts)) == (MOST_NAMES + 1, 0)


def test_the_caption_says_whose_detections_are_shown(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    collected = results(measured(a=[33.0]), claims=[claim(UP)])
    collected.runs["a"].seeds[0].folder = "results/a/seed0"
    write(Path("results/a/seed0/detections.json"), [])
    annotations = write(tmp_path / "val.json", {"images": [], "categories": [], "annotations": []})
    out = tmp_path / "samples.png"
    draw_samples(annotations, tmp_path, out, detector=detector_of(collected))
    assert "the run a, seed 0, detects" in out.with_suffix(".txt").read_text(encoding="utf-8")
    draw_samples(annotations, tmp_path, out)
    assert "detects" not in out.with_suffix(".txt").read_text(encoding="utf-8")
