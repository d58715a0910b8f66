"""The chain of the looks' files, and the choice of claims within a budget."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsd.experiments.look_files import Look, LookFiles, cheapest_first
from tsd.experiments.reading import DeclarationError


def look(number, trained, following, **changes):
    content = {
        "number": number,
        "asked_for": ["table2"],
        "trained": trained,
        "error": 0.01,
        "outcomes": {},
        "decided": {},
        "next": following,
        "may_decide": [],
        "too_dear": [],
        "hours": 0.0,
        "next_hours": 0.0,
    }
    return Look(**{**content, **changes})


@pytest.fixture
def files(tmp_path):
    return LookFiles(tmp_path / "looks", (2, 3, 5))


def test_without_a_look_each_run_has_the_first_number_of_seeds(files):
    assert files.taken() == []
    assert files.count("a", []) == 2


def test_runs_have_the_seeds_that_the_looks_gave_them(files):
    files_written = [
        look(1, {"a": 2, "b": 2, "c": 2}, {"a": 3, "b": 3}),
        look(2, {"a": 3, "b": 3}, {"a": 5}),
    ]
    for one in files_written:
        one.write(files.path(one.number))
    taken = files.taken()
    assert taken == files_written
    assert [files.count(run, taken) for run in "abc"] == [5, 3, 2]
    assert files.count("a", taken[:1]) == 3


def test_a_look_that_no_longer_follows_from_the_one_before_is_left_aside(files):
    look(2, {"a": 3}, {"a": 5}).write(files.path(2))
    assert files.taken() == []
    look(1, {"a": 2, "b": 2}, {"b": 3}).write(files.path(1))
    taken = files.taken()
    assert [one.number for one in taken] == [1]
    assert files.count("a", taken) == 2


def test_nothing_follows_a_look_that_trains_nothing(files):
    look(1, {"a": 2}, {}).write(files.path(1))
    look(2, {}, {"a": 5}).write(files.path(2))
    assert [one.number for one in files.taken()] == [1]


def test_a_malformed_file_is_named_with_its_key_and_the_remedy(files):
    files.folder.mkdir()
    files.path(1).write_text('{"number": "first"}')
    with pytest.raises(DeclarationError, match=r"look1\.json: key number: .*delete the file"):
        files.taken()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"next": {"a": 3}}, None),
        ({"too_dear": ["one"]}, "the budget has no hours left"),
        ({}, "no claim is left"),
    ],
)
def test_a_look_says_why_none_follows(changes, words):
    end = look(1, {}, {}, **changes).end
    assert end is None if words is None else words in end


CLAIMS = {"dear": ["a", "b"], "cheap": ["c"], "shared": ["c", "d"]}
HOURS = {"a": 4.0, "b": 4.0, "c": 1.0, "d": 2.0}


def test_without_a_budget_every_claim_is_chosen():
    assert cheapest_first(CLAIMS, HOURS, None) == ["dear", "cheap", "shared"]


@pytest.mark.parametrize(
    ("left", "chosen"),
    [
        (11, ["dear", "cheap", "shared"]),  # what two claims rest on is paid for once
        (10.9, ["cheap", "shared"]),
        (3, ["cheap", "shared"]),
        (2.9, ["cheap"]),
        (0.5, []),
        (-1, []),
    ],
)
def test_the_cheapest_claims_are_chosen_as_far_as_the_budget_goes(left, chosen):
    assert cheapest_first(CLAIMS, HOURS, left) == chosen


def test_what_is_there_already_stays_in_use_when_the_budget_is_used_up():
    assert cheapest_first(CLAIMS, {**HOURS, "c": 0.0}, -5) == ["cheap"]


@given(
    st.dictionaries(
        st.sampled_from("uvwxyz"), st.lists(st.sampled_from("abcd"), min_size=1), max_size=6
    ),
    st.floats(0, 15),
)
def test_what_is_chosen_never_costs_more_than_is_left(claims, left):
    chosen = cheapest_first(claims, HOURS, left)
    assert (
        sum(HOURS[run] for run in {run for claim in chosen for run in claims[claim]}) <= left + 1e-9
    )
