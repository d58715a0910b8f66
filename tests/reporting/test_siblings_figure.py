import pytest

from tests.reporting.conftest import draw_figure
from tests.reporting.conftest import figure as make_figure
from tsd.results.extracts import SiblingBin, SiblingsExtract, SiblingStage
from tsd.run_folder import RunFolder


def end(**changes):
    """Both heads on all proposals."""
    values = {
        "low": 0.5,
        "high": 1.0,
        "proposals": 40,
        "sibling_score": 0.4,
        "tsd_score": 0.5,
        "sibling_iou": 0.7,
        "tsd_iou": 0.8,
        "ahead_in_score": 0.6,
        "ahead_in_iou": 0.75,
        "m_cls": 0.1,
        "m_loc": 0.1,
        "sibling_order": None,
        "tsd_order": None,
    }
    return SiblingBin(**{**values, **changes})


@pytest.fixture
def caption(results, tmp_path):
    """Draws the figure of one run and gives its caption."""

    def draw(of_all=None, **margins):
        for seed, training in results.runs["base"].seeds.items():
            training.folder = str(tmp_path / f"seed{seed}")
        stages = [SiblingStage(iteration=4, all=of_all or end(), by_proposal_iou=[])]
        content = {
            "key": RunFolder(tmp_path / "seed1").key,
            "images": 9,
            "stages": stages,
            "losses": [],
        }
        SiblingsExtract(**content, **margins).write(tmp_path / "seed1" / "siblings.json")
        series = {"label": "joint", "run": "base"}
        return draw_figure(results, make_figure("siblings", "siblings", series), tmp_path)

    return draw


@pytest.mark.parametrize(
    ("margins", "said"),
    [
        (
            {"m_c": 0.3, "m_r": 0.3, "asks_for_score": True, "asks_for_iou": True},
            "At all of them the constraint asks for a margin of 0.3 in the score and in the IoU.",
        ),
        (
            {"m_c": 0.5, "m_r": 0.2, "asks_for_score": True, "asks_for_iou": True},
            "the constraint asks for a margin of 0.5 in the score and of 0.2 in the IoU.",
        ),
        (
            {"m_c": 0.2, "m_r": 0.2, "asks_for_score": False, "asks_for_iou": False},
            "in the IoU. This training is without the constraint, which would ask for a margin of "
            "0.2 in the score and in the IoU.",
        ),
        (
            {"m_c": 0.2, "m_r": 0.4, "asks_for_score": False, "asks_for_iou": True},
            "At all of them the constraint asks for a margin of 0.4 in the IoU. This training is "
            "without its other term, which would ask for a margin of 0.2 in the score.",
        ),
        (
            {"m_c": 0.2, "m_r": 0.2},
            "Both are compared at a margin of 0.2; the margins of the training are not recorded.",
        ),
    ],
)
def test_the_margins_are_those_of_the_training(caption, margins, said):
    text = caption(**margins)
    assert "ahead at 60% of them in the score and at 75% in the IoU. " in text
    assert said in text


def test_heads_that_met_no_object_are_told_apart(caption):
    nothing = dict.fromkeys(("sibling_score", "tsd_score", "sibling_iou", "tsd_iou"))
    text = caption(end(proposals=0, **nothing), m_c=0.2, m_r=0.2)
    assert "At the end of joint no proposal overlaps an object that much." in text
