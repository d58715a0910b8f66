"""What the documents promise."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules
from mmengine.config import Config

from tsd.experiments.schema import Run
from tsd.experiments.settings import open_grid
from tsd.training.checkpoints import resolve

DOCUMENTS = [*Path().glob("*.md"), *Path("docs").glob("*.md")]


def blocks(path, language):
    return re.findall(rf"```{language}\n(.*?)```", Path(path).read_text(), re.S)


def test_the_config_of_the_readme_builds_a_tsd_detector(tmp_path):
    (source,) = blocks("README.md", "python")
    (tmp_path / "own.py").write_text(source)
    register_all_modules()
    config = Config.fromfile(tmp_path / "own.py")
    config.model.backbone.init_cfg = None
    model = MODELS.build(config.model)
    assert model.roi_head.sibling_head is not None
    assert model.roi_head.progressive_constraint.m_c == 0.2


def test_the_declarations_in_the_documents_are_valid(tmp_path):
    (run,) = blocks("README.md", "yaml")
    declared = Run.model_validate(yaml.safe_load(run)[0])
    grid = open_grid({})
    assert replace(grid.job("tsd_pc", 0), run=declared).digest != grid.job("tsd_pc", 0).digest
    dataset, scale = blocks("docs/own-data.md", "yaml")
    (tmp_path / "own.yaml").write_text(dataset)
    assert grid.experiments.dataset(str(tmp_path / "own.yaml")).classes[0] == "fish"
    (tmp_path / "longer.yaml").write_text(scale)
    longer = open_grid({"scale": str(tmp_path / "longer.yaml")})
    assert longer.job("tsd_pc", 0).config.train_cfg.max_iters == 2016
    samplers = {
        run: longer.job(run, 0).config.model.train_cfg.rcnn for run in ("tsd_pc", "cascade_r50_tsd")
    }
    assert samplers["tsd_pc"].sampler.num == 128
    assert [stage.sampler.num for stage in samplers["cascade_r50_tsd"]] == [64, 64, 64]


def test_the_run_that_starts_from_the_authors_weights_is_valid():
    (entry,) = blocks("docs/authors-weights.md", "yaml")
    run = Run.model_validate(yaml.safe_load(entry)[0])
    grid = open_grid({"scale": "paper"})
    job = replace(grid.job("tsd_pc", 0), run=run, protocol=grid.experiments.protocol("released"))
    assert job.mistake is None
    assert job.config.load_from == "weights/tsd_r50.pth"
    assert job.config.model.roi_head.bbox_head.type == "ReleasedTSDBBoxHead"
    assert job.config.model.roi_head.progressive_constraint.m_c == 0.3


def test_the_published_numbers_of_the_weights_are_those_of_the_table():
    text = Path("docs/authors-weights.md").read_text()
    table = yaml.safe_load(Path("experiments/tables/released.yaml").read_text())
    for row in table["rows"]:
        if "published" in row:
            line = next(
                line for line in text.splitlines() if line.startswith(f"| `{row['run']}` |")
            )
            assert all(str(value) in line for value in row["published"].values()), line
    assert f"within {table['within']} of the published" in " ".join(text.split())


def test_what_is_said_of_ones_own_data_is_what_is_declared(tmp_path):
    text = Path("docs/own-data.md").read_text()
    (tmp_path / "own.yaml").write_text(blocks("docs/own-data.md", "yaml")[0])
    grid = open_grid({"scale": "transfer"})
    own = open_grid({"scale": "transfer", "dataset": str(tmp_path / "own.yaml")})
    rows = re.findall(r"^\| `(\w+)` \|", text.partition("## The scales")[0], re.M)
    assert set(rows) == {job.run.id for job in grid.wanted}
    assert len(rows) == 5
    assert "Then five runs are trained" in text
    assert f"all {len(own.jobs)} runs of this scale" in text
    config = grid.job("tsd_pc", 0).config
    assert (config.train_cfg.max_iters, config.train_dataloader.batch_size) == (672, 4)
    assert "672 iterations of four images" in text
    flat = " ".join(text.split())
    for numbers in (config.model.data_preprocessor.mean, config.model.data_preprocessor.std):
        assert f"({', '.join(map(str, numbers))})" in flat
    name = config.model.backbone.init_cfg.checkpoint
    assert f"`{name}`" in text
    assert resolve(name) in text
    assert "five" in grid.scale.note


def anchors(document):
    """What a link may lead to within a document, by the rule that GitHub makes anchors by."""
    text = re.sub(r"^```.*?^```", "", document.read_text(), flags=re.S | re.M)
    headings = [
        re.sub(r"\]\([^)]*\)", "", line) for line in re.findall(r"^#+ +(.*?) *$", text, re.M)
    ]
    made = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return made | set(re.findall(r'<a id="([^"]+)">', text))


def broken_links(document):
    """The links of a document that lead to no file, or to no heading of a document."""
    broken = []
    for link in re.findall(r"\]\(([^)]+)\)", document.read_text()):
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    return broken


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_links_lead_somewhere(document):
    assert broken_links(document) == []


def test_a_link_that_leads_nowhere_is_found(tmp_path):
    (tmp_path / "other.md").write_text("# One `thing`, and more\n\n## [A link](x.md)\n")
    page = tmp_path / "page.md"
    page.write_text(
        "## Here\n[a](other.md) [b](other.md#one-thing-and-more) [c](#here) [d](other.md#a-link)\n"
        "[e](gone.md) [f](gone.md#here) [g](other.md#here) [h](#there)\n"
    )
    assert broken_links(page) == ["gone.md", "gone.md#here", "other.md#here", "#there"]


def test_settings_named_in_the_decisions_exist():
    text = Path("docs/decisions.md").read_text()
    grid = open_grid({"scale": "paper"})
    flat = {
        path
        for run in ("tsd_pc", "d_s8", "cascade_r50_tsd", "bells_r101_dcn_tsd")
        for path in paths(grid.job(run, 0).config.to_dict())
    }
    named = re.findall(r"`((?:…|model\.|train_cfg|optim_wrapper|param_scheduler)[\w.]*)", text)
    assert len(named) >= 10
    for name in named:
        ending = name.removeprefix("…")
        assert any(path.endswith(ending) for path in flat), name


def paths(content, prefix=""):
    for key, value in content.items():
        yield f"{prefix}.{key}"
        if isinstance(value, dict):
            yield from paths(value, f"{prefix}.{key}")
