"""Each kind of claim test: what it compares, and where it expects the numbers."""

import ast
import math
from pathlib import Path

import pytest

from tsd.experiments.claim_test_base import ClaimTest, Size
from tsd.experiments.claim_tests import (
    KINDS,
    AbovePublished,
    Gain,
    Increasing,
    LargerGain,
    Level,
    Ratio,
)
from tsd.experiments.comparisons import Alone, Difference, Quantity, Quotient, Range
from tsd.experiments.schema import Table

PAIRS = [{"run": "a", "baseline": "b"}, {"run": "c", "baseline": "b"}]
ABOVE_ZERO = Range(low=0, without_ends=True)


def gain(**said):
    return Gain.model_validate({"kind": "gain", "pairs": PAIRS, "metrics": ["AP", "AP50"], **said})


def ratio(**said):
    return Ratio.model_validate({"kind": "ratio", "pairs": PAIRS, "metric": "params", **said})


def level(**size):
    return Level.model_validate({"kind": "level", "runs": ["a", "b"], "metric": "AP", "size": size})


LARGER = LargerGain.model_validate(
    {
        "kind": "larger_gain",
        "pairs": PAIRS[:1],
        "quantities": [["APm"], ["APl50", "APl60"]],
        "than": ["APs"],
    }
)
INCREASING = Increasing.model_validate(
    {"kind": "increasing", "pairs": PAIRS[:1], "metrics": ["AP50", "AP60", "AP90"]}
)
ABOVE = AbovePublished.model_validate(
    {
        "kind": "above_published",
        "run": "a",
        "metric": "AP",
        "table": "table8",
        "ours": ["a"],
        "where": {"backbone": ["ResNet", ""]},
    }
)


def of(*metrics):
    return Quantity(metrics)


@pytest.mark.parametrize(
    ("test", "comparisons"),
    [
        (
            gain(direction="up"),
            [
                Difference("a", of("AP"), "b"),
                Difference("a", of("AP50"), "b"),
                Difference("c", of("AP"), "b"),
                Difference("c", of("AP50"), "b"),
            ],
        ),
        (
            ratio(direction="up"),
            [Quotient("a", of("params"), "b"), Quotient("c", of("params"), "b")],
        ),
        (level(at_least=1), [Alone("a", of("AP")), Alone("b", of("AP"))]),
        (
            LARGER,
            [
                Difference("a", Quantity(("APm",), ("APs",)), "b"),
                Difference("a", Quantity(("APl50", "APl60"), ("APs",)), "b"),
                Difference("a", of("APm"), "b"),
                Difference("a", of("APl50", "APl60"), "b"),
            ],
        ),
        (
            INCREASING,
            [
                Difference("a", Quantity(("AP60",), ("AP50",)), "b"),
                Difference("a", Quantity(("AP90",), ("AP60",)), "b"),
                Difference("a", of("AP50"), "b"),
            ],
        ),
        (ABOVE, [Alone("a", of("AP"))]),
    ],
)
def test_what_a_kind_compares(test, comparisons):
    assert test.comparisons() == comparisons
    assert [type(one) for one in test.comparisons()] == [type(one) for one in comparisons]


def test_the_mean_over_pairs_is_of_what_the_sentence_is_about():
    assert LARGER.averaged() == LARGER.comparisons()[:2]
    assert INCREASING.averaged() == INCREASING.comparisons()[:2]
    assert gain(direction="up").averaged() == gain(direction="up").comparisons()


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        (gain(direction="up"), ABOVE_ZERO),
        (gain(direction="down"), Range(high=0, without_ends=True)),
        (gain(size={"at_least": 3}), None),
        (ratio(direction="up"), Range(low=1, without_ends=True)),
        (ratio(direction="down"), Range(high=1, without_ends=True)),
        (level(at_least=1), None),
        (LARGER, ABOVE_ZERO),
        (INCREASING, ABOVE_ZERO),
        (ABOVE, None),
    ],
)
def test_where_a_kind_expects_its_numbers_at_every_scale(test, expected):
    assert test.expected_range() == expected


@pytest.mark.parametrize(
    ("test", "published", "claimed"),
    [
        (gain(direction="up"), 1.0, ABOVE_ZERO),
        (gain(direction="up", size={"at_least": 3, "at_most": 5}), 1.0, Range(3, 5)),
        (gain(direction="up", size={"within": 0.5}), 2.0, Range(1.5, 2.5)),
        (gain(direction="up", size={"within": 0.5}), None, ABOVE_ZERO),
        (gain(size={"within": 0.5}), None, None),
        (ratio(size={"about": 1.25, "within": 0.25}), 9.0, Range(1.0, 1.5)),
        (level(within=0.5), 40.0, Range(39.5, 40.5)),
        (level(within=0.5), None, None),
        (LARGER, -1.0, ABOVE_ZERO),
        (INCREASING, -1.0, ABOVE_ZERO),
    ],
)
def test_where_a_kind_expects_its_numbers_at_the_papers_scale(test, published, claimed):
    assert test.claimed_range(published, []) == claimed


def test_a_run_has_to_be_above_its_highest_rival():
    rows = [
        {"label": "A", "attributes": {"backbone": "ResNet"}, "published": {"AP": 40.0}},
        {"label": "B", "published": {"AP": 41.0}},
        {"label": "other backbone", "attributes": {"backbone": "VGG"}, "published": {"AP": 50.0}},
        {"label": "ours", "run": "a", "published": {"AP": 60.0}},
        {"label": "not printed", "published": {"AP": None}},
    ]
    content = {"id": "table8", "title": "t", "source": "s", "metrics": ["AP"], "rows": rows}
    table = Table.model_validate({**content, "attributes": ["backbone"]})
    other = table.model_copy(update={"id": "table7"})
    assert ABOVE.rivals(table) == [40.0, 41.0]
    assert ABOVE.claimed_range(None, [other, table]) == Range(low=41.0, without_ends=True)


@pytest.mark.parametrize(
    ("size", "where"),
    [
        ({"at_least": 3}, Range(3, math.inf)),
        ({"at_most": 3}, Range(-math.inf, 3)),
        ({"about": 0, "within": 0.5}, Range(-0.5, 0.5)),
    ],
)
def test_a_size_is_around_a_number_or_between_bounds(size, where):
    assert Size.model_validate(size).around(None) == where


def subclasses(base):
    for child in base.__subclasses__():
        yield child
        yield from subclasses(child)


def test_every_kind_can_be_declared():
    complete = {c for c in subclasses(ClaimTest) if not c.__abstractmethods__}
    assert complete == set(KINDS.values())


def test_nothing_asks_of_which_kind_a_test_is():
    """What differs between kinds is a method of their class, so that a new kind is one class."""
    names = {ClaimTest.__name__, *(kind.__name__ for kind in subclasses(ClaimTest))}
    for path in Path("tsd").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            asks = (
                isinstance(node, ast.Call)
                and getattr(node.func, "id", "") in ("isinstance", "type")
            ) or isinstance(node, ast.MatchClass)
            if asks:
                named = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
                assert not named & names, f"{path}:{node.lineno} asks for {named & names}"
            if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq):
                compared = {n.value for n in ast.walk(node) if isinstance(n, ast.Constant)}
                assert not compared & set(KINDS), f"{path}:{node.lineno} compares a kind's name"
