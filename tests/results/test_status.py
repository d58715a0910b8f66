"""The status of a training is read whole or refused by name."""

import json

import pytest

from tsd.results.records import RecordError
from tsd.results.status import read_status
from tsd.run_folder import RunFolder, readable_status, update_status


@pytest.fixture
def folder(tmp_path):
    folder = RunFolder(tmp_path)
    update_status(folder, state="failed", error="why", iteration=3, of_another_version=[1])
    return folder


def test_what_the_steps_write_is_read_as_it_stands(folder):
    assert read_status(folder) == json.loads(folder.status.read_text())
    folder.status.unlink()
    assert read_status(folder) == {}


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('{"state": "failed", ', "the whole"),
        ("", "the whole"),
        ("[]", "the whole"),
        ("{}", "state"),
        ('{"state": "odd"}', "state"),
        ('{"state": "running", "pid": "x"}', "pid"),
        ('{"state": "done", "iteration": -1}', "iteration"),
    ],
)
def test_a_damaged_status_is_named_with_the_key_and_a_remedy(folder, text, key):
    folder.status.write_text(text)
    with pytest.raises(RecordError, match=rf"status\.json: key {key}: .*from its last checkpoint"):
        read_status(folder)
    folder.trained.touch()
    with pytest.raises(RecordError, match="since the training has ended") as refused:
        read_status(folder)
    assert str(folder.status) in str(refused.value)
    folder.status.write_text('{"state": "done"}')
    assert read_status(folder) == {"state": "done"}


@pytest.mark.parametrize("text", ['{"sta', "[1]", "\xff"])
def test_a_step_that_fails_over_a_damaged_status_can_still_say_so(folder, text):
    folder.status.write_bytes(text.encode("latin-1"))
    assert readable_status(folder.status) == {}
    update_status(folder, state="failed", error="status.json is damaged")
    assert read_status(folder)["error"] == "status.json is damaged"
