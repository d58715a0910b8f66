"""The page of the simulation, and whether its numbers are those of today's intervals."""

import re
import shutil
from pathlib import Path

import pytest
from scipy import stats

from tsd.cli.main import main
from tsd.experiments.claims_schema import load_claims
from tsd.experiments.load import load_experiments
from tsd.reporting.simulation_page import BEGIN, END, PAGE, PICTURE, REPLICATIONS, write

DOCS = Path("docs")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The page and its figure, made anew with few replications."""
    folder = tmp_path_factory.mktemp("docs")
    shutil.copy(DOCS / PAGE, folder)
    main(["simulate-verdicts", "--out", str(folder), "--replications", "100"])
    return folder


def cells(folder):
    """The rates of all tables between the marks, by what stands before them in their row."""
    text = (folder / PAGE).read_text()
    block = text.split(BEGIN)[1].split(END)[0]
    found = {}
    for table, part in enumerate(re.split(r"\n\n(?=[^|\n])", block)):
        for line in part.splitlines():
            words = [word.strip() for word in line.strip("|").split("|")]
            if len(words) > 5 and "%" in words[2]:
                found[table, words[0], words[1]] = [float(w.strip("%")) / 100 for w in words[2:]]
    return found


def test_the_page_has_the_numbers_of_todays_intervals(made):
    """A rate of the page is one that a shorter simulation of today may give.

    Rates of 100 replications over claims that share runs scatter by less than those of 100
    independent ones, so that the bounds are those of the latter, at one in a million.
    """
    declared, today = cells(DOCS), cells(made)
    assert declared.keys() == today.keys()
    assert len(declared) == 40
    for key, rates in declared.items():
        for number, (rate, found) in enumerate(zip(rates, today[key], strict=True)):
            if number in (1, 3):  # the worst of the claims, which depends on the replications
                continue
            low, high = (stats.binom.ppf(p, 100, rate) / 100 for p in (1e-6, 1 - 1e-6))
            assert low - 0.01 <= found <= high + 0.01, (key, number)


@pytest.mark.parametrize("where", ["in docs", "made anew"])
def test_the_bounds_that_are_told_are_the_largest_cells_of_the_tables(made, where):
    """Two tables with spreads as alike as is expected, and two with less alike ones."""
    folder = DOCS if where == "in docs" else made
    found = cells(folder)
    block = (folder / PAGE).read_text().split(BEGIN)[1].split(END)[0]
    sentences = block.strip().splitlines()[-1]
    told = [float(text) / 100 for text in re.findall(r"at most ([\d.]+)%", sentences)]
    numbers = sorted({table for table, *_ in found})
    assert len(numbers) == 4
    largest = []
    for pair in (numbers[:2], numbers[2:]):
        rates = [rates for (table, *_), rates in found.items() if table in pair]
        held, held_worst, refuted, refuted_worst, missed = zip(*(r[:5] for r in rates), strict=True)
        largest += [max(missed), max(held + refuted), max(held_worst + refuted_worst)]
    assert told == largest


def test_the_prose_gives_no_bound_of_its_own():
    """What is written by hand would stay when the simulation finds something else."""
    text = (DOCS / PAGE).read_text()
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    assert not re.search(r"at most about|less than [\d.]+%|errs in|misses .* in \w+ of \w+", after)
    assert not re.search(r"at most about|less than [\d.]+%", before)


def test_what_is_outside_the_marks_stays(made):
    here, there = ((folder / PAGE).read_text() for folder in (DOCS, made))
    assert here.split(BEGIN)[0] == there.split(BEGIN)[0]
    assert here.split(END)[1] == there.split(END)[1]
    assert f"{REPLICATIONS:,} replications" in here
    assert "100 replications" in there


def test_the_figure_is_there_and_shown(made):
    assert f"({PICTURE})" in (DOCS / PAGE).read_text()
    for folder in (DOCS, made):
        assert (folder / PICTURE).read_text().lstrip().startswith("<?xml")


def test_a_page_without_marks_is_refused(tmp_path):
    (tmp_path / PAGE).write_text("nothing")
    experiments = load_experiments(Path("experiments"))
    claims = load_claims(Path("experiments/claims.yaml"), experiments)
    with pytest.raises(ValueError, match=r"verdicts\.md: the lines .* are missing"):
        write(tmp_path, claims, experiments, 1)
