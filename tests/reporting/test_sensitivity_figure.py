import numpy as np
import pytest
from PIL import Image

from tests.reporting.conftest import draw_figure
from tests.reporting.conftest import figure as make_figure
from tsd.reporting.sensitivity_figure import _draw_rows, maps_of, peak, peak_distance
from tsd.results.collected import State
from tsd.results.extracts import SensitivityExtract, SensitivityMaps
from tsd.run_folder import RunFolder


@pytest.fixture
def instance(tmp_path):
    Image.new("RGB", (80, 60), (90, 120, 60)).save(tmp_path / "image.png")
    scores, overlaps = np.full((5, 7), 0.1), np.full((5, 7), 0.2)
    scores[1, 2] = 0.9
    overlaps[4, 6] = 0.8
    return SensitivityMaps(
        image=str(tmp_path / "image.png"),
        image_id=7,
        class_name="$a$",
        box=(20.0, 20.0, 50.0, 40.0),
        stride=4,
        x=[17.5, 23.5, 29.5, 35.5, 41.5, 47.5, 53.5],
        y=[18.0, 24.0, 30.0, 36.0, 42.0],
        classification=scores.tolist(),
        localization=overlaps.tolist(),
    )


def flat(instance, height=5, width=7):
    """The same object with maps of another size that are the same everywhere."""
    values = np.full((height, width), 0.09).tolist()
    changes = {"x": instance.x[:width], "y": instance.y[:height]}
    return instance.model_copy(update={"classification": values, "localization": values, **changes})


@pytest.fixture
def draw(results, tmp_path):
    """Draws a figure of a run, from objects if there are any, and gives its caption."""

    def draw_with(instances=None, run="base", folder=tmp_path, key=None):
        for seed, training in results.runs["base"].seeds.items():
            training.folder = str(folder / f"seed{seed}")
        if instances is not None:
            key = key or RunFolder(folder / "seed1").key
            extract = SensitivityExtract(key=key, margin=0.25, instances=instances)
            extract.write(folder / "seed1" / "sensitivity.json")
        series = {"label": "sibling head", "run": run}
        return draw_figure(results, make_figure("figure1", "sensitivity", series), folder)

    return draw_with


def test_the_peaks_and_how_far_they_are_apart(instance):
    scores, overlaps = maps_of(instance)
    assert peak(instance, scores) == (29.5, 24.0, 0.9)
    assert peak(instance, overlaps) == (53.5, 42.0, 0.8)
    assert peak_distance(instance) == pytest.approx(30 / np.hypot(30, 20))


def test_a_row_for_each_instance(draw, instance, tmp_path):
    heights = []
    for count in (1, 3):
        caption = draw([instance] * count, folder=tmp_path / str(count))
        with Image.open(tmp_path / str(count) / "figure1.png") as picture:
            heights.append(picture.height)
    assert heights[1] - heights[0] > 500
    assert "base (seed 1; 0123456789, dirty)" in caption
    assert "0.83, 0.83, 0.83 of the box’s diagonal apart" in caption
    assert (tmp_path / "3" / "figure1.svg").exists()


def test_flat_maps_of_an_untrained_head_are_drawn(draw, instance, tmp_path):
    draw([flat(instance)])
    assert (tmp_path / "figure1.pdf").stat().st_size > 10000


@pytest.mark.parametrize("shape", [(1, 7), (5, 1)])
def test_maps_of_a_single_row_or_column_are_drawn(draw, instance, shape, tmp_path):
    draw([flat(instance, *shape)])
    assert (tmp_path / "figure1.png").stat().st_size > 10000


@pytest.mark.parametrize(
    ("instances", "run", "state"),
    [(None, "base", "base"), (None, "waiting", "waiting (not run)"), ([], "base", "seed 1")],
)
def test_without_maps_the_figure_is_drawn_all_the_same(draw, instances, run, state, tmp_path):
    assert state in draw(instances, run)
    assert (tmp_path / "figure1.svg").exists()


def test_a_file_that_cannot_be_believed_is_the_matter_of_its_figure_alone(
    draw, instance, results, tmp_path
):
    said = draw([instance], key="mini/other/0123456789/seed0")
    assert "It is not drawn: " in said
    assert "sensitivity.json: key key: this is a record of the training mini/other/" in said
    assert (tmp_path / "figure1.png").stat().st_size > 5000
    (tmp_path / "seed1" / "sensitivity.json").write_text("[")
    assert "sensitivity.json: key the whole" in draw()
    results.runs["base"].seeds[1].state = State.REFUSED
    assert "It is not drawn" not in draw()


def test_an_image_that_is_gone_is_left_out(draw, instance):
    gone = instance.model_copy(update={"image": instance.image + ".gone"})
    assert "lie 0.83 of" in draw([gone, instance])


@pytest.mark.parametrize("size", [(80, 60), (60, 80)])
def test_the_image_is_drawn_in_the_frame_of_its_annotations(instance, size):
    exif = Image.Exif()
    exif[0x0112] = 8
    with Image.open(instance.image) as picture:
        picture.copy().save(instance.image, exif=exif)
    sized = instance.model_copy(update=dict(zip(("width", "height"), size, strict=True)))
    background = _draw_rows([sized]).axes[0].images[0]
    assert background.get_array().shape == size[::-1]
    assert background.get_extent() == [0, size[0], size[1], 0]


def test_an_image_that_cannot_be_read_does_not_end_the_figure(draw, instance, tmp_path):
    (tmp_path / "image.png").write_bytes(b"no image")
    draw([instance, instance.model_copy(update={"width": 80, "height": 60})])
    assert (tmp_path / "figure1.png").exists()
