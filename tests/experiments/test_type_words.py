from typing import Annotated, Any, Literal

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from tsd.experiments.declaration import Differences, Identifier
from tsd.experiments.file_kinds import FileKind
from tsd.experiments.json_schema import json_schema
from tsd.experiments.schema import Row
from tsd.experiments.type_words import example_line, heading, link, type_in_words


def test_a_number_between_bounds():
    assert type_in_words({"type": "number", "minimum": 0, "exclusiveMaximum": 1}) == (
        "number ≥ 0 and < 1"
    )


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (str, "text"),
        (int, "whole number"),
        (Annotated[float, Field(gt=0)], "number > 0"),
        (bool, "`true` or `false`"),
        (bool | None, "`true`, `false` or `null`"),
        (Any, "any value"),
        (Literal["up"], "`up`"),
        (Literal["up", "down"] | None, "`up`, `down` or `null`"),
        (Identifier, "name"),
        (Annotated[str, Field(pattern="^a+$")], "text that fits `^a+$`"),
        (list[Annotated[str, Field(pattern="^a+$")]], "list of texts that fit `^a+$`"),
        (Differences, "settings"),
        (list[Identifier] | None, "list of names or `null`"),
        (Annotated[list[Row], Field(min_length=1)], "list of 1 or more [Rows](#row)"),
        (Annotated[list[float], Field(min_length=1, max_length=2)], "list of 1 to 2 numbers"),
        (Annotated[list[float], Field(max_length=2)], "list of 0 to 2 numbers"),
        (list[list[int]], "list of lists of whole numbers"),
        (dict[float, Identifier], "mapping from numbers to names"),
        (dict[Identifier, Differences] | None, "mapping from names to settings or `null`"),
        (dict[str, dict[str, Any]], "mapping from texts to mappings from texts to any values"),
    ],
)
def test_types_in_words(annotation, words):
    whole = json_schema(FileKind("list", "List", "list.yaml", dict[str, annotation], "", ""))
    assert type_in_words(whole["additionalProperties"]) == words


def test_headings_and_links():
    assert heading("LargerGain") == "Larger gain"
    assert link("Larger gain", several=True) == "[Larger gains](#larger-gain)"
    assert link("Series", several=True) == "[Series](#series)"
    assert link("The cluster's site") == "[The cluster's site](#the-clusters-site)"


texts = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]))
plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts
values = st.recursive(
    plain, lambda inner: st.lists(inner) | st.dictionaries(texts | st.floats(0, 1), inner)
)


@given(values)
def test_an_example_is_one_line_that_yaml_reads_back(value):
    line = example_line("key", value)
    assert "\n" not in line
    assert yaml.safe_load(line) == {"key": value}
