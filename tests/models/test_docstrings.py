"""The drawings in the docstrings of the models hold together, and their letters are explained."""

import ast
import inspect
import re
import unicodedata
from pathlib import Path

import pytest

MODULES = sorted(Path("tsd/models").glob("[!_]*.py"))
EVERY_MODULE = pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
POINTER = "The letters are those of ``tsd/models/roi_head.py``."

STROKES = "─│┌┐└┘├┤┬┴▶▲▼"
GOES_DOWN, GOES_UP = "│┌┐├┤┬", "│└┘├┤┴"


def docstrings(path):
    """The docstrings of a module, its classes and functions, as documentation tools read them."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            text = ast.get_docstring(node, clean=False)
            if text is not None:
                yield inspect.cleandoc(text)


def drawings(path):
    """The drawn lines of each docstring that has any, with its text."""
    for text in docstrings(path):
        lines = [line for line in text.splitlines() if set(line) & set(STROKES)]
        if lines:
            yield text, lines


def columns(line):
    """The characters by column; a mark that sits on the letter before it takes no column."""
    return [character for character in line if not unicodedata.combining(character)]


def character(rows, row, column):
    return rows[row][column] if 0 <= row < len(rows) and column < len(rows[row]) else " "


def test_the_head_has_a_drawing_as_have_others():
    drawn = {path.stem for path in MODULES if list(drawings(path))}
    assert drawn >= {"roi_head", "derived_proposals", "cascade_roi_head", "split_detector"}


@EVERY_MODULE
def test_drawings_keep_their_left_margin(path):
    for text, lines in drawings(path):
        before, literal = text.split(".. code-block:: none\n\n", 1)
        assert not set(before) & set(STROKES), "drawn outside of the literal block"
        for line in lines:
            assert line.startswith("    "), line
            assert line in literal.splitlines()


@EVERY_MODULE
def test_no_line_of_a_drawing_ends_in_nothing(path):
    for text, _ in drawings(path):
        rows = [columns(line) for line in text.splitlines()]
        for row, line in enumerate(rows):
            for column, stroke in enumerate(line):
                place = f"row {row}, column {column} of\n{text}"
                if stroke in GOES_DOWN:
                    assert character(rows, row + 1, column) != " ", place
                if stroke in GOES_UP:
                    assert character(rows, row - 1, column) != " ", place


def legend(text):
    """What follows ``Letters`` in a docstring, up to the next blank line."""
    found = re.search(r"^Letters\n((?: +.*\n?)+)", text, re.M)
    return found[1] if found else None


@EVERY_MODULE
def test_the_letters_of_shapes_are_explained(path):
    texts = list(docstrings(path))
    shapes = " ".join(re.findall(r"Tensor\[([^]]*)\]", "\n".join(texts)))
    used = set(re.findall(r"\b(?:[A-Z](?:_[a-z]|⁺)?|k[hw]?)(?![\w⁺])", shapes))
    explained = legend(texts[0])
    if POINTER in texts[0]:
        assert explained is None, "one legend is enough"
        explained = legend(next(docstrings(Path("tsd/models/roi_head.py"))))
    if used:
        assert explained is not None, f"what are {', '.join(sorted(used))}?"
        known = set(re.findall(r"[\w⁺]+", explained))
        assert used <= known
