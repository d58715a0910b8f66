import json
from pathlib import Path
from typing import Annotated

import pytest
import yaml
from jsonschema import Draft202012Validator
from pydantic import Field

from tsd.cli.declarations import FILE_KINDS
from tsd.experiments.declaration import Declaration
from tsd.experiments.file_kinds import FileKind
from tsd.experiments.json_schema import json_schema
from tsd.experiments.reading import read_yaml

KINDS = {kind.name: kind for kind in FILE_KINDS}


def as_json(content):
    """The content of a YAML file as an editor sees it: keys are text."""
    return json.loads(json.dumps(content))


def complaints(kind, content):
    return [error.message for error in Draft202012Validator(json_schema(kind)).iter_errors(content)]


@pytest.mark.parametrize("kind", FILE_KINDS, ids=lambda kind: kind.name)
def test_a_schema_is_one_and_takes_what_is_declared(kind):
    schema = json_schema(kind)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(schema)
    declared = sorted(Path().glob(kind.files))
    assert declared
    for path in declared:
        assert complaints(kind, as_json(read_yaml(path))) == [], path


def test_every_yaml_file_of_the_experiments_has_a_schema():
    with_schema = {path for kind in FILE_KINDS for path in Path().glob(kind.files)}
    assert set(Path("experiments").rglob("*.yaml")) <= with_schema


MISTAKES = {
    "unknown key": ("runs", lambda c: c[0].update(sett={}), "'sett' was unexpected"),
    "missing key": ("runs", lambda c: c[0].pop("why"), "'why' is a required property"),
    "a name that is none": ("backbone", lambda c: c.update(id="R 34"), "does not match"),
    "wrong type": ("scale", lambda c: c.update(stands_in="yes"), "is not of type 'boolean'"),
    "too small": ("site", lambda c: c["site"].update(gpus_per_node=0), "not valid under any"),
    "unknown kind": ("figure", lambda c: c.update(kind="pie"), "is not one of"),
    "text among numeric keys": (
        "figure",
        lambda c: c["series"][0].update(points={"left": "r50"}),
        "'left' does not match",
    ),
    "nested key": ("table", lambda c: c["rows"][0].update(lable="x"), "'lable' was unexpected"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_an_editor_underlines_mistakes(mistake):
    name, change, message = MISTAKES[mistake]
    content = as_json(yaml.safe_load(KINDS[name].example))
    assert complaints(KINDS[name], content) == []
    change(content)
    (found,) = complaints(KINDS[name], content)
    assert message in found


def test_a_file_that_should_be_a_list():
    assert complaints(KINDS["claims"], {}) == ["{} is not of type 'array'"]


def test_descriptions_are_single_lines_and_defaults_are_there_whoever_makes_them():
    class Inner(Declaration):
        """What is inside."""

    class Outer(Declaration):
        """What is around it."""

        inner: Inner | None = None
        """This is what ``Outer`` holds,
        if anything."""

        made: Annotated[list[int], Field(default_factory=lambda: [1])]
        """A function makes the default."""

    kind = FileKind("outer", "Outers", "outer.yaml", Outer, "About\nit.", "{}")
    assert kind.models == [Outer, Inner]
    schema = json_schema(kind)
    assert (schema["title"], schema["description"]) == ("Outers", "About it.")
    inner, made = schema["properties"]["inner"], schema["properties"]["made"]
    assert inner["description"] == "This is what `Outer` holds, if anything."
    assert "title" not in inner
    assert made["default"] == [1]
    assert list(schema["properties"]) == ["inner", "made"]
