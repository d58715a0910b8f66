"""``docs/declarations.md``: every key of every YAML file, from the models that check the files.

The order, the descriptions and the examples come from the models, types and defaults from their
JSON schemas, so that the page, the editor and the check cannot contradict each other.
"""

import json
import re
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from tsd.experiments.declaration import Declaration
from tsd.experiments.file_kinds import FileKind
from tsd.experiments.json_schema import json_schema
from tsd.experiments.type_words import example_line, heading, link, type_in_words, value_text

SCHEMA_FOLDER = Path("experiments/schemas")
"""Where the JSON schemas lie."""

NO_BREAK = "\0"
"""Stands for a space at which no line may end."""

INTRODUCTION = """\
# What the YAML files may say

Everything that is trained, shown and judged here is declared in YAML files. This page lists the
kinds of files and every key of each. A file is checked when it is read: a key that is not listed
here, a value of another type and a name that nothing has are refused, and the message names the
nearest valid choice.

`make declarations` writes this page and the JSON schemas from the models that check the files
(`tsd/experiments/*schema.py`), and a test holds them in step. Do not edit them by
hand.

"""

WORDS = """\
## The words for types

| word | meaning |
|---|---|
| text | Any text. YAML wants quotes around a text that looks like something else, such as `"0.1"`. |
| name | A text of lower-case letters, digits, `_` and `-` that begins with a letter or a digit. Declarations refer to each other by such names. |
| word | A text of letters, digits and the signs `_ . , : @ / + -`, without spaces. |
| features | What SLURM's option `--constraint` takes, such as `a100` or <code>[a100&#124;h100]</code>. |
| number | A number with or without a decimal point, such as `0.5` or `3`. |
| whole number | A number without a decimal point. |
| list | Values in an order, written as `[a, b]` or as a line with `- ` for each. |
| mapping | Values that have keys, written as `{a: 1, b: 2}` or as a line `a: 1` for each. |
| settings | A mapping. Each key is the dotted path of a setting in the mmengine config that a run compiles to, such as `model.backbone.depth`, and its value replaces the one that is there. A path that does not exist is refused. In a path, an entry of a list goes by its number or by its `type`, and `*` means all entries. |
| `null` | No value. |

A heading in place of a type, such as [Row](#row), is a mapping with the keys that are listed below
that heading. A key that is not **required** may be left out and then has its default.

"""  # noqa: E501 a row of a table is a line

EDITORS = """\
## In an editor

Each kind of file has a JSON schema (draft 2020-12), by which an editor completes keys, shows what
they mean and underlines mistakes while you type. In Visual Studio Code install the extension YAML
(`redhat.vscode-yaml`) and put this into `.vscode/settings.json`:

```json
{settings}
```

Any editor with yaml-language-server also takes the schema from the first line of a file, as a path
relative to that file. This one is for a data set of your own, beside the `README.md`:

```yaml
# yaml-language-server: $schema={folder}/dataset.json
```

"""


def page(kinds: Iterable[FileKind]) -> str:
    """The documentation of all kinds of files, as Markdown."""
    kinds = list(kinds)
    rows = [f"| {link(kind.title)} | `{kind.files}` | {_schema_link(kind)} |" for kind in kinds]
    settings = {"yaml.schemas": {f"./{schema_file(kind)}": kind.files for kind in kinds}}
    return "".join(
        [
            INTRODUCTION,
            "| what | where | JSON schema |\n|---|---|---|\n" + "\n".join(rows) + "\n\n",
            WORDS,
            EDITORS.format(settings=json.dumps(settings, indent=2), folder=SCHEMA_FOLDER),
            "\n".join(map(_section, kinds)),
        ]
    )


def schema_file(kind: FileKind) -> Path:
    """Where the JSON schema of a kind of file lies."""
    return SCHEMA_FOLDER / f"{kind.name}.json"


def schema_text(kind: FileKind) -> str:
    """The content of that file."""
    return json.dumps(json_schema(kind), indent=2, ensure_ascii=False) + "\n"


def _section(kind: FileKind) -> str:
    """What is said of a kind of file."""
    schema = json_schema(kind)
    outermost, *nested = kind.models
    parts = [
        f"## {kind.title}\n",
        _wrapped(kind.about),
        f"Where: `{kind.files}`. JSON schema: {_schema_link(kind)}. An example:\n",
        f"```yaml\n{kind.example}```\n",
        _keys(outermost, schema),
    ]
    for model in nested:
        about = schema["$defs"][model.__name__]["description"]
        parts += [f"### {heading(model.__name__)}\n", _wrapped(about), _keys(model, schema)]
    return "\n".join(parts)


def _keys(model: type[Declaration], schema: Mapping[str, Any]) -> str:
    """What is said of each key of a declaration, as a list."""
    described = schema.get("$defs", {}).get(model.__name__, schema)
    return "".join(
        _key(name, field, described["properties"][name], name in described.get("required", []))
        for name, field in model.model_fields.items()
    )


def _key(name: str, field: FieldInfo, schema: Mapping[str, Any], required: bool) -> str:
    default = "**required**" if required else f"by default `{value_text(schema.get('default'))}`"
    examples = ", or ".join(f"`{example_line(name, each)}`" for each in field.examples or ())
    return (
        f"- **`{name}`**: {type_in_words(schema)}; {default}.\n"
        f"{_wrapped(schema.get('description', ''), indent='  ')}"
        f"  Example: {examples}\n"
    )


def _schema_link(kind: FileKind) -> str:
    return f"[`{kind.name}.json`](../{schema_file(kind)})"


def _wrapped(text: str, indent: str = "") -> str:
    """A paragraph in lines of at most 100 characters, none of which ends within code."""
    kept = re.sub(r"`[^`]*`", lambda code: code[0].replace(" ", NO_BREAK), text)
    filled = textwrap.fill(
        kept,
        100,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return filled.replace(NO_BREAK, " ") + "\n"
