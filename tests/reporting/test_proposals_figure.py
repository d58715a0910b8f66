import pytest
from PIL import Image

from tests.reporting.conftest import draw_figure
from tests.reporting.conftest import figure as make_figure
from tsd.reporting.proposals_figure import draw_proposals, iou, judge
from tsd.results.extracts import (
    DerivedProposals,
    Detection,
    ImageProposals,
    LabelledBox,
    Proposal,
    ProposalsExtract,
)
from tsd.run_folder import RunFolder

BOX = (10.0, 10.0, 50.0, 40.0)
FIGURE = make_figure(
    "figure5",
    "proposals",
    {"label": "sibling head", "run": "base"},
    {"label": "TSD", "run": "better"},
)


def detection(name, score, box=BOX):
    return Detection(class_name=name, score=score, box=box)


@pytest.fixture
def image(tmp_path):
    Image.new("RGB", (80, 60), (90, 120, 60)).save(tmp_path / "image.png")
    return ImageProposals(
        image=str(tmp_path / "image.png"),
        image_id=7,
        class_name="cat",
        box=BOX,
        ground_truth=[
            LabelledBox(class_name="cat", box=BOX),
            LabelledBox(class_name="$dog$", box=(0, 0, 9, 9)),
        ],
        proposal=Proposal(box=(12.0, 8.0, 52.0, 38.0), iou=0.8),
        derived=DerivedProposals(
            cls_points=[(x, y) for y in (15.0, 25.0, 90.0) for x in (20.0, 30.0, 40.0)],
            reg_box=(11.0, 9.0, 51.0, 39.0),
            reg_points=None,
        ),
        detections=[detection("cat", 0.9), detection("$dog$", 0.6)],
    )


def but(image, **changes):
    """The same image with something else on it."""
    return image.model_copy(update=changes)


@pytest.fixture
def draw(results, tmp_path):
    """Draws runs' images (run → what was extracted); gives the caption and all that is written."""

    def draw_with(resting_offset=(0.0, 0.0), **extracted):
        for run in FIGURE.runs:
            for training in results.runs[run].seeds.values():
                training.folder = str(tmp_path / run)
            if run in extracted:
                content = ProposalsExtract(
                    key=RunFolder(tmp_path / run).key,
                    images=extracted[run],
                    resting_offset=resting_offset,
                )
                content.write(tmp_path / run / "proposals.json")
        axes = draw_proposals(results, FIGURE).picture.axes
        words = [one.get_xlabel().replace("\n", " ") for one in axes]
        words += [text.get_text() for one in axes for text in one.texts]
        return draw_figure(results, FIGURE, tmp_path), words

    return draw_with


def test_overlaps():
    assert iou((0, 0, 2, 2), (1, 0, 3, 2)) == pytest.approx(1 / 3)
    assert iou((0, 0, 2, 2), (2, 0, 3, 2)) == 0
    assert iou(BOX, BOX) == 1


def test_an_object_is_found_once_by_the_highest_score(image):
    near = (12.0, 10.0, 50.0, 40.0)
    detections = [detection("cat", 0.7, near), detection("cat", 0.9), detection("dog", 1)]
    judged = judge(but(image, detections=detections))
    assert [(one.name, one.score, one.iou) for one in judged] == [
        ("dog", 1, None),
        ("cat", 0.9, 1.0),
        ("cat", 0.7, None),
    ]


def test_low_scores_are_not_judged(image):
    assert judge(but(image, detections=[detection("cat", 0.49)])) == []


def test_both_runs_are_drawn_and_named(draw, image, tmp_path):
    caption, words = draw(base=[but(image, derived=None)], better=[image])
    assert "cat IoU of P 0.80" in words
    assert words.count("1 of 2 found, 1 false mean IoU 1.00") == 2
    assert words.count("cat 0.90") == 2
    assert "base, better (seed 0; 0123456789, dirty)" in caption
    assert "Top row, of run better" in caption
    assert (tmp_path / "figure5.svg").exists()


def test_a_pooling_that_reads_beside_the_proposal_is_told(draw, image):
    caption, _ = draw(better=[image])
    assert "reads" not in caption
    caption, _ = draw(better=[image], resting_offset=(1 / 56, 1 / 28))
    assert "reads 0.018 of P’s width to the left of where its offsets say, and 0.036" in caption


def test_without_detections_the_highest_score_is_told(draw, image):
    low = but(image, detections=[detection("cat", 0.2)])
    _, words = draw(base=[low], better=[but(image, detections=[])])
    assert "nothing scores 0.5; the highest 0.20" in words
    assert "nothing scores 0.5" in words


def test_what_a_head_does_not_derive_is_told(draw, image):
    _, words = draw(better=[but(image, derived=None)])
    assert "the head derives nothing from P" in words


def test_an_rpn_without_proposals_is_told(draw, image):
    _, words = draw(better=[but(image, proposal=None, derived=None)])
    assert "the RPN proposes nothing" in words


def test_a_point_wise_derived_box_is_points(draw, image):
    points = [(20.0, 20.0), (30.0, 30.0)]
    derived = image.derived.model_copy(update={"reg_box": None, "reg_points": points})
    _, words = draw(better=[but(image, derived=derived)])
    assert r"$\hat{P}_r$" not in words


def test_a_run_that_was_not_extracted_leaves_a_word(draw, image):
    caption, words = draw(better=[image])
    assert "base:\nevaluated, but nothing was extracted\nfrom it for this figure" in words
    assert "better (seed 0" in caption


@pytest.mark.parametrize("extracted", [{}, {"base": [], "better": []}])
def test_without_images_the_figure_is_drawn_all_the_same(draw, extracted, tmp_path):
    _, words = draw(**extracted)
    assert any("base" in text and "better" in text for text in words)
    assert (tmp_path / "figure5.pdf").exists()


@pytest.mark.parametrize("size", [(80, 60), (60, 80)])
def test_images_are_drawn_in_the_frame_of_their_annotations(draw, image, results, size):
    exif = Image.Exif()
    exif[0x0112] = 5
    with Image.open(image.image) as picture:
        picture.copy().save(image.image, exif=exif)
    sized = but(image, width=size[0], height=size[1])
    draw(base=[sized], better=[sized])
    drawn = [one.images[0] for one in draw_proposals(results, FIGURE).picture.axes if one.images]
    assert len(drawn) == 3
    for one in drawn:
        assert one.get_array().shape == (*size[::-1], 3)
        assert one.get_extent() == [0, size[0], size[1], 0]


def test_an_image_that_cannot_be_read_is_a_panel_that_says_so(draw, image, tmp_path):
    (tmp_path / "image.png").write_bytes(b"no image")
    sized = but(image, width=80, height=60)
    _, words = draw(base=[sized], better=[sized])
    assert sum("image.png" in text and "cannot be shown" in text for text in words) == 3
    assert (tmp_path / "figure5.png").exists()
