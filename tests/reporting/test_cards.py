"""Which runs have a card, and the chain from a card to the files behind it."""

from pathlib import Path

from tests.reporting.conftest import make_results, run, training
from tsd.reporting.cards import begun, file_links, has_card, line, with_cards, without_cards
from tsd.reporting.page import MARKDOWN, PAGE, render
from tsd.run_folder import RunFolder


def test_only_runs_of_which_something_was_begun_have_a_card(results):
    broken = run(training("not run")).model_copy(update={"mistake": "no", "seeds": {}})
    results.runs |= {"broken": broken, "elsewhere": run()}
    assert without_cards(results) == ["waiting", "elsewhere"]
    assert [*with_cards(results), *without_cards(results)] != list(results.runs)
    assert set(with_cards(results)) | {"waiting", "elsewhere"} == set(results.runs)
    assert has_card(results, "broken")
    assert not any(has_card(results, name) for name in ("waiting", "elsewhere", "unknown", None))


def test_a_card_shows_the_trainings_that_were_begun():
    seeds = run(training(), training("not run"), training("failed"), training("not run"))
    assert list(begun(seeds)) == [0, 2]


def test_a_card_is_told_in_a_line(results):
    assert line(results, "better") == "AP (%) 33.0, 2 of 2 seeds evaluated"
    assert line(results, "half") == "AP (%) 33.0, 1 of 2 seeds evaluated, 1 failed"
    assert line(results, "going") == "0 of 1 seed evaluated, 1 running"
    broken = run().model_copy(update={"mistake": "no"})
    assert line(make_results([], {"broken": broken}), "broken") == "cannot be made"


def test_a_run_that_cannot_be_made_has_a_card_without_a_table(collected, results):
    broken = run(training("not run")).model_copy(update={"mistake": "no such layer"})
    results.runs["broken"] = broken
    results.write(collected)
    pages = render(collected, is_published=True, carries=False)
    card = pages[PAGE].partition('id="run-broken"')[2].partition("</article>")[0]
    assert "no such layer" in card
    assert "<table" not in card
    text = pages[MARKDOWN].partition("### broken\n")[2].partition("###")[0]
    assert "no such layer" in text
    assert "seed" not in text


def test_files_are_links_only_where_they_lie_beside_the_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = RunFolder(Path("results/mini/some/ab/seed0"))
    for file in (folder.config, folder.log, folder.weights):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    one = training().model_copy(update={"folder": str(folder.path), "files": folder.trail})
    folder.weights.unlink()
    page = Path("reports/mini")
    found = {link.holds: link for link in file_links(one, page)}
    assert list(found) == ["config", "log", "weights"]
    assert found["log"].path == "results/mini/some/ab/seed0/logs/train.log"
    assert (page / found["log"].href).resolve() == folder.log.resolve()
    assert found["weights"].href is None
    assert {link.href for link in file_links(one, None)} == {None}
    assert file_links(one.model_copy(update={"folder": None}), page) == []
