from tests.data.openimages_example import NAMES
from tsd.data.openimages_format import PREPARED, read_boxes


def test_what_is_written_is_read_back(prepared):
    (name, size, boxes), second = read_boxes(prepared / PREPARED.validation, len(NAMES))
    assert (name, size) == ("a1.jpg", (64, 48))
    assert boxes == [(2, 0.1, 0.1, 0.5, 0.5, 0), (4, 0.125, 0.0, 1.0, 0.001, 1)]
    assert second == ("b2.jpg", (40, 80), [(3, 0.0, 0.0, 1.0, 1.0, 0)])
