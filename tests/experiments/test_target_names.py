"""An id by which something is asked for means one thing only."""

import re
from pathlib import Path

import pytest

from tsd.experiments.load import load_experiments
from tsd.experiments.reading import DeclarationError
from tsd.experiments.target_names import FIGURES, FOLDERS, RULES, check_target_names

EXPERIMENTS = load_experiments(Path("experiments"))
TABLE = EXPERIMENTS.tables["table2"]
FIGURE = EXPERIMENTS.figures["figure4"]
RUN = EXPERIMENTS.runs["r50"]


def named(declaration, name, origin):
    return {name: declaration.model_copy(update={"id": name}).with_origin(origin)}


@pytest.mark.parametrize(
    ("tables", "figures", "runs", "second", "first"),
    [
        (
            named(TABLE, "a", "a.yaml"),
            {},
            named(RUN, "a", "r.yaml: run a"),
            "r.yaml: run a",
            "a.ya",
        ),
        (
            {},
            named(FIGURE, "a", "f.yaml"),
            named(RUN, "a", "r.yaml: run a"),
            "r.yaml: ru",
            "f.yaml",
        ),
        (named(TABLE, "a", "t.yaml"), named(FIGURE, "a", "f.yaml"), {}, "f.yaml", "t.yaml"),
    ],
)
def test_an_id_that_two_of_them_have_is_refused_with_both(tables, figures, runs, second, first):
    with pytest.raises(DeclarationError, match=f"^{second}.*: key id: 'a' is the id of .*{first}"):
        check_target_names(tables, figures, runs)


def test_ids_that_the_workflow_has_for_something_else_are_refused():
    for name in (*RULES, *FIGURES, "all"):
        with pytest.raises(DeclarationError, match=rf"t\.yaml: key id: '{name}' is a name that"):
            check_target_names(named(TABLE, name, "t.yaml"), {}, {})
        with pytest.raises(DeclarationError, match="give the figure another id"):
            check_target_names({}, named(FIGURE, name, "f.yaml"), {})
    for name in (*FOLDERS, "all"):
        with pytest.raises(DeclarationError, match="give the run another id"):
            check_target_names({}, {}, named(RUN, name, "r.yaml"))
    check_target_names({}, {}, named(RUN, "train", "r.yaml"))


def test_every_rule_of_the_workflow_is_among_them():
    rules = [*Path("workflow/rules").glob("*.smk"), Path("Snakefile")]
    text = "\n".join(path.read_text() for path in rules)
    found = re.findall(r"^\s*(?:rule|checkpoint) (\w+):", text, re.M)
    assert {*found} == RULES | {"all"}


def test_a_table_with_the_id_of_a_run_is_refused_when_the_declarations_are_read(monkeypatch):
    seen = []
    monkeypatch.setattr(
        "tsd.experiments.load.check_target_names", lambda *declared: seen.extend(declared)
    )
    loaded = load_experiments(Path("experiments"))
    assert seen == [loaded.tables, loaded.figures, loaded.runs]
