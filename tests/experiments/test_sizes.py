import pytest

from tsd.experiments.sizes import use_tuples


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"scale": [1333, 800]}, {"scale": (1333, 800)}),
        ({"scale": 320}, {"scale": 320}),
        ({"scale": [[1600, 400], [1600, 1400]]}, {"scale": [(1600, 400), (1600, 1400)]}),
        ({"scales": [[128, 128], [160, 160]]}, {"scales": [(128, 128), (160, 160)]}),
        ({"scales": [8, 11, 14]}, {"scales": [8, 11, 14]}),
        ({"ratios": [0.5, 1.0]}, {"ratios": [0.5, 1.0]}),
    ],
)
def test_sizes_are_tuples_and_other_lists_stay(given, expected):
    use_tuples(given)
    assert given == expected
    assert [type(value) for value in given.values()] == [type(v) for v in expected.values()]
