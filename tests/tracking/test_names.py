"""Whatever a name or a value is, MLflow takes what is made of it, and no two names become one."""

import math
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlflow.utils import validation

from tsd.tracking import names
from tsd.tracking.run_files import Event, RunFiles

# Hypothesis seldom hits on what is special here by itself.
SPECIAL = st.sampled_from(
    ["*", "/", ".", "..", "//", "_U", "_U2A_", "_", "U", " ", ":", "\n", "\0", "é", "e\u0301", "💡"]
)
TEXTS = st.one_of(
    st.text(st.characters()),  # lone surrogates too
    st.lists(SPECIAL | st.text(max_size=3), max_size=12).map("".join),
    st.builds(lambda part, times: part * times, st.text(min_size=1, max_size=9), st.just(90)),
)


def read_back(name):
    """The name that an escaped one was made of."""
    return re.sub("_U([0-9A-F]*)_", lambda m: chr(int(m[1], 16)) if m[1] else "", name)


@settings(deadline=None)
@given(TEXTS)
def test_mlflow_takes_every_name(text):
    name = names.name(text)
    validation._validate_param(name, "")
    validation._validate_tag(name, "")
    validation._validate_metric(name, 1.0, 0, 0)
    validation._validate_experiment_name(name)
    assert name.isascii()
    assert name.isprintable()
    assert ":" not in name
    assert name == name.strip()
    assert len(name) <= validation.MAX_ENTITY_KEY_LENGTH


@settings(deadline=None)
@given(TEXTS)
def test_a_name_that_is_not_cut_can_be_read_back(text):
    name = names.name(text)
    if "_Ucut_" not in name:
        assert read_back(name) == text
    else:
        assert len(name) == names.NAME_LENGTH


@settings(deadline=None)
@given(st.lists(TEXTS, unique=True, max_size=6))
def test_different_names_stay_different(texts):
    assert len({names.name(text) for text in texts}) == len(texts)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("*x", "_U2A_x"),
        ("*U2A_", "_U2A*"),
        ("_U2A" + "*", "*U2A_"),
        ("", "_U_"),
        ("a/b", "a//b"),
        ("a", "a/"),
        ("a", "/a"),
        (".", ".."),
        ("a/../b", "b"),
        ("x" * 251, "x" * 252),
        ("x" * 250 + "a", "x" * 250 + "b"),
        ("*" * 250 + "a", "*" * 250 + "b"),
        ("\ud800", "\ufffd"),
        ("Δ", "δ"),
    ],
)
def test_pairs_that_could_become_one(one, other):
    assert names.name(one) != names.name(other)


@pytest.mark.parametrize(
    "name",
    [
        "model.roi_head.bbox_head.0.fc_out_channels",
        "optim_wrapper.optimizer.lr",
        "final/AP.5",
        "loss_tsd_cls",
        "mini/tsd_x101-64x4d/0123456789/seed0",
        "tsd-mini",
        "tsd.sha256.config.json",
        "x" * 250,
    ],
)
def test_ordinary_names_stay_as_they_are(name):
    assert names.name(name) == name


def test_a_star_is_escaped_where_it_stands():
    escaped = names.name("model.roi_head.bbox_head.*.fc_out_channels")
    assert escaped == "model.roi_head.bbox_head._U2A_.fc_out_channels"


@settings(deadline=None)
@given(TEXTS, st.sampled_from([names.NAME_LENGTH, names.TAG_LENGTH, names.PARAM_LENGTH]))
def test_a_value_is_storable_and_within_its_length(text, length):
    value = names.value(text, length)
    assert len(value) <= length
    assert "\0" not in value
    value.encode("utf-8")
    if "\0" not in text and len(text) <= length and not re.search("[\ud800-\udfff]", text):
        assert value == text


def test_a_value_that_is_cut_says_so_and_still_differs():
    one, other = (names.value("x" * 7000 + end, names.PARAM_LENGTH) for end in "ab")
    assert one != other
    assert len(one) == names.PARAM_LENGTH
    assert re.search(r"… \(cut from 7001 characters, sha256 [0-9a-f]{16}\)$", one)


NUMBERS = st.one_of(
    st.floats(), st.integers(), st.booleans(), st.none(), st.text(max_size=3), st.just(10**400)
)


@settings(deadline=None)
@given(NUMBERS)
def test_mlflow_takes_every_measurement(number):
    measured = names.measurement(number)
    if measured is None:
        assert isinstance(number, str | None) or number == 10**400 or not math.isfinite(number)
    else:
        validation._validate_metric("loss", measured, 0, 0)
        assert measured == float(number)


@settings(deadline=None)
@given(
    st.dictionaries(TEXTS, TEXTS, max_size=5),
    st.dictionaries(TEXTS, NUMBERS, max_size=5),
    TEXTS,
    st.integers(-(10**12), 10**13),
)
def test_a_run_is_adapted_as_a_whole(pairs, measured, text, time_ms):
    files = RunFiles(
        key=text,
        name=text,
        experiment=text,
        tags=pairs,
        params=pairs,
        state="done",
        updated_ms=None,
        events=[Event(1, time_ms, measured)],
        final=Event(0, time_ms, measured),
        data={"name": text, "digest": "0123456789", "source": text},
        on_the_way=[Event(2, time_ms, measured)],
        artifacts=[Path("config.json")],
    )
    adapted = names.adapted(files)
    assert adapted.name
    assert "'" not in adapted.key
    validation._validate_experiment_name(adapted.experiment)
    assert len(adapted.params) == len(adapted.tags) == len(pairs)
    for key, value in adapted.params.items():
        validation._validate_param(key, value)
    for key, value in adapted.tags.items():
        validation._validate_tag(key, value)
    finite = [number for number in measured.values() if names.measurement(number) is not None]
    for event in (*adapted.events, *adapted.on_the_way, adapted.final):
        assert len(event.metrics) == len(finite)
        for key, value in event.metrics.items():
            validation._validate_metric(key, value, event.time_ms, event.step)
