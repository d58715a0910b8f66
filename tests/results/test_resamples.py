import numpy as np
import pytest

from tsd.results.resamples import Resamples, ResamplesError


def resamples(**changes):
    return Resamples(
        **{
            "drawn_from": "abc",
            "images": 5,
            "whole": {"AP": 40.123456789012, "APl": float("nan")},
            "values": {
                "AP": np.array([39.5, 41.25], np.float32),
                "APl": np.array([np.nan, 1], np.float32),
            },
            **changes,
        }
    )


def test_what_is_written_is_read_again(tmp_path):
    path = tmp_path / "some" / "resamples.npz"
    resamples().write(path)
    found = Resamples.read(path)
    assert (found.drawn_from, found.images) == ("abc", 5)
    assert found.whole["AP"] == 40.123456789012
    assert np.isnan(found.whole["APl"])
    assert found.values["AP"].tolist() == [39.5, 41.25]
    np.testing.assert_array_equal(found.values["APl"], [np.nan, 1])
    assert [file.name for file in path.parent.iterdir()] == ["resamples.npz"]


def test_no_file_is_no_resamples(tmp_path):
    assert Resamples.read(tmp_path / "resamples.npz") is None


@pytest.mark.parametrize("content", [b"", b"not an archive", "half"])
def test_a_damaged_file_is_named(tmp_path, content):
    path = tmp_path / "resamples.npz"
    resamples().write(path)
    path.write_bytes(path.read_bytes()[:200] if content == "half" else content)
    with pytest.raises(ResamplesError, match=r"resamples\.npz cannot be read"):
        Resamples.read(path)


def test_nothing_in_the_file_is_run(tmp_path):
    path = tmp_path / "resamples.npz"
    np.savez(path, metrics=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ResamplesError, match="cannot be read"):
        Resamples.read(path)
