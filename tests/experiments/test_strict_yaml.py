"""A value without quotes means one thing, or is refused with both ways of saying it."""

import math
import re
import shutil
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tsd.experiments.load import load_experiments
from tsd.experiments.reading import DeclarationError, read_yaml
from tsd.experiments.settings import open_grid
from tsd.experiments.strict_yaml import AmbiguousScalarError, StrictLoader


def load(text):
    return yaml.load(text, StrictLoader)  # noqa: S506 safe


AMBIGUOUS = {
    "1e-3": "1.0e-3",
    "1E5": "1.0e+5",
    ".5e3": "0.5e+3",
    "1.e5": "1.0e+5",
    "2.5e4": "2.5e+4",
    "-1e-3": "-1.0e-3",
    "-.5": "-0.5",
    "+.5": "+0.5",
    "1e400": "1.0e+400",
    "010": "10",
    "-017": "-17",
    "08": "8",
    "00": "0",
    "0o17": "15",
    "yes": "true",
    "NO": "false",
    "On": "true",
    "off": "false",
}


@pytest.mark.parametrize("written", AMBIGUOUS)
@pytest.mark.parametrize("place", ["a: {}", "a: [1, {}]", "{}: 1", "- b: {{c: {}}}"])
def test_what_can_be_read_in_two_ways_is_refused_with_both_spellings(written, place):
    with pytest.raises(AmbiguousScalarError) as refused:
        load(place.format(written))
    assert f"write {AMBIGUOUS[written]}" in refused.value.problem or (
        AMBIGUOUS[written] in ("true", "false")
        and f"read as {AMBIGUOUS[written]}" in refused.value.problem
    )
    assert repr(written) in refused.value.problem


@pytest.mark.parametrize("written", ["12:30:00", "12:30", "1:30.5", "2019-01-01", "="])
def test_what_is_neither_number_nor_text_to_the_writer_is_refused(written):
    with pytest.raises(AmbiguousScalarError, match=re.escape(f"put it in quotes, '{written}'")):
        load(f"a: [{written}]")


@pytest.mark.parametrize("quote", ["'", '"'])
@pytest.mark.parametrize("written", [*AMBIGUOUS, "12:30", "2019-01-01", "=", "null", "2019"])
def test_quotes_make_a_text_of_anything(written, quote):
    assert load(f"a: {quote}{written}{quote}") == {"a": written}
    assert load(f"a: !!str {written}") == {"a": written}
    assert load(f"a: |-\n  {written}") == {"a": written}


@pytest.mark.parametrize(
    ("written", "meaning"),
    [
        ("1.0e-3", 0.001),
        ("1.0e+5", 1e5),
        ("0.5", 0.5),
        (".5", 0.5),
        ("1.", 1.0),
        ("-3", -3),
        ("0", 0),
        ("1_000", 1000),
        ("0x1F", 31),
        ("2019", 2019),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        (".inf", math.inf),
        ("!!float 1e-3", 0.001),
        ("e5", "e5"),
        ("1e", "1e"),
        ("1e5.0", "1e5.0"),
        ("1-2", "1-2"),
        ("3x3", "3x3"),
        ("north", "north"),
        (".", "."),
        ("0001.jpg", "0001.jpg"),
    ],
)
def test_what_has_one_meaning_is_read(written, meaning):
    assert load(f"a: {written}") == {"a": meaning}


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers())
def test_a_number_as_python_writes_it_is_itself_or_is_told_how_to_be(number):
    for written in (repr(number), repr(number).upper(), f"{number:e}", f"{number:g}"):
        try:
            read = load(f"a: {written}")["a"]
        except AmbiguousScalarError as refused:
            spelled = re.search("write ([^ ,]+)", refused.problem)[1]
            read = load(f"a: {spelled}")["a"]
        assert not isinstance(read, str)
        assert float(read) == float(written)


@settings(deadline=None)
@given(st.text(st.sampled_from("0123456789+-.eE_:ox"), min_size=1, max_size=8))
def test_nothing_that_looks_like_a_number_is_read_as_text(written):
    try:
        read = load(f"a: [{written}]")["a"][0]
    except yaml.YAMLError:
        return
    if isinstance(read, str):
        with pytest.raises(ValueError, match="could not convert"):
            float(written.replace("_", "x"))  # underscores are Python's


def test_a_key_that_is_a_list_is_a_mistake_and_no_crash(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("? [a, b]\n: 1\n")
    with pytest.raises(DeclarationError, match="a key is a list or a mapping"):
        read_yaml(path)


def test_a_folder_is_no_file(tmp_path):
    (tmp_path / "a.yaml").mkdir()
    with pytest.raises(DeclarationError, match=r"a\.yaml: cannot be read: Is a directory"):
        read_yaml(tmp_path / "a.yaml")


@pytest.fixture
def folder(tmp_path):
    return Path(shutil.copytree("experiments", tmp_path / "experiments"))


def test_file_line_and_column_are_named_for_runs(folder):
    path = folder / "runs" / "mine.yaml"
    path.write_text(
        "- id: mine\n"
        "  base: faster-rcnn_r50_fpn\n"
        "  why: A test.\n"
        "  set: {optim_wrapper: {optimizer: {type: AdamW, lr: 1e-3}}}\n"
    )
    with pytest.raises(
        DeclarationError, match=r"runs/mine\.yaml: line 4, column 54: 1e-3 is .*write 1\.0e-3"
    ):
        load_experiments(folder)


def test_file_line_and_column_are_named_for_scales(tmp_path):
    scale = tmp_path / "scale.yaml"
    scale.write_text("id: own\nextends: smoke\nset:\n  optim_wrapper.optimizer.lr: 5E-4\n")
    with pytest.raises(DeclarationError, match=r"scale\.yaml: line 4, column 31: 5E-4 .*5\.0E?e-4"):
        open_grid({"scale": str(scale)})


def own_data(tmp_path, classes):
    own = tmp_path / "own.yaml"
    own.write_text(
        "id: own\ntitle: own\nlicence: none\nroot: data\n"
        "train: {annotations: train.json, images: train}\n"
        "val: {annotations: val.json, images: val}\n"
        f"classes: [{classes}]\n"
    )
    return str(own)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("yes, no", r"own\.yaml: line 7, column 11: yes is read as true: .*quotes, 'yes'"),
        ("left, off", r"own\.yaml: line 7, column 17: off is read as false: .*quotes, 'off'"),
        ("1e3", r"line 7, column 11: 1e3 is read as a text.*quotes, '1e3'"),
        ("a, 010", r"line 7, column 14: 010 is read as a number to the base of 8.*'010'"),
        ("2019-01-01", r"2019-01-01 is read as a date: .*quotes"),
        ("12:30", r"12:30 is read as a number to the base of 60: .*quotes"),
        ("a, 2019", r"key 'classes\.1': expected a text, found 2019; put it in quotes"),
        ("a, null", r"key 'classes\.1': expected a text, found None; put it in quotes"),
        ("a, 1.5", r"key 'classes\.1': expected a text, found 1\.5; put it in quotes"),
        ("a, true", r"key 'classes\.1': expected a text, found True; put it in quotes"),
        ("a, {b: c}", r"key 'classes\.1': expected a text, found \{'b': 'c'\}$"),
    ],
)
def test_class_names_that_yaml_takes_for_something_else(tmp_path, written, message):
    with pytest.raises(DeclarationError, match=message):
        open_grid({"dataset": own_data(tmp_path, written)})


def test_class_names_in_quotes_are_texts(tmp_path):
    classes = open_grid({"dataset": own_data(tmp_path, "'yes', 'null', \"2019\", '1e3', a b")})
    assert classes.dataset.classes == ["yes", "null", "2019", "1e3", "a b"]
