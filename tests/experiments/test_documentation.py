"""docs/declarations.md and the JSON schemas say what the models of the YAML files check."""

import inspect
import json
import re
import shutil
from pathlib import Path
from typing import Annotated

import pytest
import yaml
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, create_model

from tsd.cli.declarations import DECISIONS, FILE_KINDS, PAGE, generated
from tsd.cli.main import main
from tsd.cluster.site import open_site
from tsd.experiments.costs import load_costs
from tsd.experiments.declaration import Declaration
from tsd.experiments.documentation import SCHEMA_FOLDER, page
from tsd.experiments.file_kinds import EXPERIMENT_FILES
from tsd.experiments.settings import open_grid
from tsd.experiments.type_words import example_line

EXAMPLES = {kind.name: yaml.safe_load(kind.example) for kind in FILE_KINDS}
MODELS = list(dict.fromkeys(model for kind in FILE_KINDS for model in kind.models))


def mistakes_of(model):
    """What is wrong with the descriptions and examples of a model's keys."""
    found = [] if (model.__doc__ or "").strip() else [f"{model.__name__}: no docstring"]
    for key, field in model.model_fields.items():
        place = f"{model.__name__}.{key}"
        if not re.fullmatch(r"[A-Z].* .* .*\.", " ".join((field.description or "").split())):
            found.append(f"{place}: no whole sentence describes it")
        if not field.examples:
            found.append(f"{place}: no example")
        alone = create_model(
            "Alone", __config__=ConfigDict(strict=True), **{key: (field.annotation, field)}
        )
        for example in field.examples or ():
            try:
                alone.model_validate(yaml.safe_load(example_line(key, example)))
            except ValidationError as error:
                found.append(f"{place}: the example {example!r} is not valid: {error}")
    return found


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_key_has_a_description_and_a_valid_example(model):
    assert not mistakes_of(model)


def test_a_key_without_description_and_an_example_that_is_not_valid_are_found():
    class Faulty(Declaration):
        """A model."""

        mute: Annotated[int, Field(ge=0, examples=[0])] = 0

        riddle: Annotated[str, Field(description="of the table", examples=["a"])] = ""

        bare: int = 0
        """It has no example at all."""

        wrong: Annotated[int, Field(ge=0, examples=[1, -1])] = 0
        """It has an example that is too small."""

        mistyped: Annotated[int | None, Field(examples=["1"])] = None
        """It has an example of another type."""

    found = [mistake.split(": ")[:2] for mistake in mistakes_of(Faulty)]
    assert found == [
        ["Faulty.mute", "no whole sentence describes it"],
        ["Faulty.riddle", "no whole sentence describes it"],
        ["Faulty.bare", "no example"],
        ["Faulty.wrong", "the example -1 is not valid"],
        ["Faulty.mistyped", "the example '1' is not valid"],
    ]


def subclasses(model):
    for subclass in model.__subclasses__():
        yield subclass
        yield from subclasses(subclass)


def test_every_declaration_is_documented():
    declared = {
        model
        for model in subclasses(Declaration)
        if model.__module__.startswith("tsd.")
        and not (model.__name__.startswith("_") or inspect.isabstract(model))
        and not model.__subclasses__()
    }
    assert declared == set(MODELS)


@pytest.mark.parametrize("path", generated(), ids=str)
def test_the_files_are_in_step_with_the_models(path):
    assert path.is_file(), f"{path} is missing: run `make declarations`"
    up_to_date = path.read_text(encoding="utf-8") == generated()[path]
    assert up_to_date, f"{path} is not what the models say: run `make declarations`"


def test_no_schema_is_left_of_a_kind_that_is_gone():
    assert set(SCHEMA_FOLDER.iterdir()) == set(generated()) - {PAGE, DECISIONS}


def test_the_command_writes_the_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    main(["declarations"])
    written = {p.relative_to(tmp_path): p.read_text() for p in tmp_path.rglob("*.*")}
    assert written == generated()


def test_the_page_has_every_key_with_its_type_default_and_example():
    text = generated()[PAGE]
    line = r"^- \*\*`(\w+)`\*\*: .+; (?:\*\*required\*\*|by default `.+`)\.$"
    assert re.findall(line, text, re.M) == [key for model in MODELS for key in model.model_fields]
    assert "- **`gpus_per_node`**: whole number ≥ 1; by default `8`." in text
    assert "- **`rows`**: list of 1 or more [Rows](#row); **required**." in text
    assert "  Example: `set: {model.roi_head.derived_proposals.gamma: 0.2}`\n" in text


def test_the_page_leads_to_its_own_headings():
    text = generated()[PAGE]
    headings = re.findall(r"^##+ (.*)$", text, re.M)
    anchors = [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]
    assert len(set(anchors)) == len(anchors)
    links = re.findall(r"\]\(#([^)]*)\)", text)
    assert len(links) > len(FILE_KINDS)
    assert set(links) <= set(anchors)


def test_no_line_of_the_page_ends_within_code():
    text = re.sub(r"```.*?```", "", generated()[PAGE], flags=re.S)
    assert text.count("`") > 100
    for line in text.splitlines():
        assert line.count("`") % 2 == 0, line


def test_names_of_types_are_explained():
    explained = re.findall(r"^\| ([a-z ]+) \|", generated()[PAGE], re.M)
    named = {title for path in generated() if path.suffix == ".json" for title in titles(path)}
    assert {"name", "settings"} <= named <= set(explained)


def titles(path):
    """Titles of types in a JSON schema, those of files and declarations left out."""
    return re.findall(r'"title": "([a-z][^"]*)"', generated()[path])


def test_the_settings_for_an_editor_name_every_schema_and_its_files():
    (block,) = re.findall(r"```json\n(.*?)```", generated()[PAGE], re.S)
    schemas = json.loads(block)["yaml.schemas"]
    assert len(schemas) == len(FILE_KINDS)
    for schema, files in schemas.items():
        assert Path(schema).is_file()
        assert list(Path().glob(files)), files


@pytest.mark.parametrize("kind", FILE_KINDS, ids=lambda kind: kind.name)
def test_the_example_of_a_file_is_valid_and_on_the_page(kind):
    assert TypeAdapter(kind.content).validate_python(EXAMPLES[kind.name])
    assert f"```yaml\n{kind.example}```" in page([kind])


def test_the_examples_of_files_are_accepted_together(tmp_path):
    folder = shutil.copytree("experiments", tmp_path / "experiments")
    for kind in EXPERIMENT_FILES:
        content = EXAMPLES[kind.name]
        name = content.get("id", "own") if isinstance(content, dict) else "own"
        path = tmp_path / kind.files.replace("*", name)
        text = kind.example
        if kind.name in ("decisions", "sources"):  # other declarations refer to what is there
            named = {entry["id"] for entry in content}
            kept = [e for e in yaml.safe_load(path.read_text()) if e["id"] not in named]
            text += yaml.safe_dump(kept, allow_unicode=True)
        path.write_text(text)
    grid = open_grid({"experiments": folder, "scale": "mini-long", "only": "reach,margins"})
    assert {"tsd_gamma_02", "tsd_pc_cls_01"} <= {job.run.id for job in grid.wanted}
    assert grid.job("tsd_gamma_02", 2).config.train_cfg.max_iters == 3300
    assert [claim.id for claim in grid.claims] == ["pc_at_75"]
    assert [entry.id for entry in grid.inconsistencies] == ["three_to_five_dcn"]
    full = open_grid({"experiments": folder, "scale": "paper"}).job("tsd_r34", 0)
    assert full.config.model.neck.in_channels == [64, 128, 256, 512]
    hours, surest = load_costs(folder).gpu_hours(full)
    assert hours > 0
    assert surest == "assumed"
    assert open_grid({"experiments": folder, "dataset": "aquarium"}).dataset.id == "aquarium"
    own = open_grid({"experiments": folder, "protocol": "paper-l1"})
    assert own.job("tsd_pc", 0).config.model.roi_head.bbox_head.loss_bbox.type == "L1Loss"
    assert own.job("tsd_pc", 0).config.model.rpn_head.loss_bbox.type == "SmoothL1Loss"
    assert open_site(EXAMPLES["site"]["site"]).gpus_per_node == 4
