"""``docs/decisions.md``: what each protocol does, from what is declared of it."""

import textwrap

from tsd.experiments.deviations import answer
from tsd.experiments.load import Experiments
from tsd.experiments.protocol_schema import Decision, Protocol

INTRODUCTION = """\
# Decisions: where the paper is silent, or the released code does otherwise

The paper is the specification. Where it leaves something open, or where the authors' released code
(Sense-X/TSD, a fork of mmdet 1.1) does something else, this page says what the protocols of this
project do, why, and how to have another answer. The released code was read and run beside ours, and
not copied: with the same weights all losses, gradients and boxes agree to rounding, so that what
differs is listed here. A path such as `model.roi_head…` is a setting for a run's `set`.

A *protocol* is a file in `experiments/protocols/`. `make reproduce PROTOCOL=released` trains a grid
under it, a run can name one with `protocol:`, and each scale names its own. Small scales replace
some settings of a protocol by their own, above all the schedule. The report says of each run how
it differs from the paper's protocol and from the release's.

`make declarations` writes this page from `experiments/protocols/` and
`experiments/decisions.yaml`. Do not edit it by hand.

"""


def decisions_page(experiments: Experiments) -> str:
    """The page as Markdown.

    Args:
        experiments: All declarations.
    """
    protocols = [experiments.protocol(name) for name in experiments.protocols]
    decisions = experiments.decisions.values()
    asked = [one for one in decisions if any(one.id in p.parts for p in protocols)]
    return "".join(
        [
            INTRODUCTION,
            "## The protocols\n\n",
            *(_protocol(protocol, experiments) for protocol in protocols),
            "\n## What the protocols do\n\n",
            _table(asked, protocols),
            "\n## Every question\n",
            *(_decision(one, protocols) for one in decisions),
        ]
    )


def _protocol(protocol: Protocol, experiments: Experiments) -> str:
    """A protocol in an entry of a list, with the scales that follow it."""
    scales = [name for name in experiments.scales if _protocol_of(name, experiments) == protocol.id]
    followed = f" It is that of the scales {', '.join(f'`{s}`' for s in scales)}." if scales else ""
    text = f"- **`{protocol.id}`**: {protocol.title}. {protocol.note}{followed}"
    return textwrap.fill(text, 100, subsequent_indent="  ", break_on_hyphens=False) + "\n"


def _protocol_of(scale: str, experiments: Experiments) -> str | None:
    """Id of the protocol of a scale."""
    return experiments.scale(scale).protocol


def _table(decisions: list[Decision], protocols: list[Protocol]) -> str:
    """A row for each question that the protocols answer differently."""
    heads = ["question", *(f"`{protocol.id}`" for protocol in protocols)]
    rows = [
        [f"[{one.question}](#{one.id})", *(answer(one, protocol)[0] for protocol in protocols)]
        for one in decisions
    ]
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(map(_cell, line))} |\n" for line in lines)


def _decision(decision: Decision, protocols: list[Protocol]) -> str:
    """A question with all that is said of it."""
    answers: dict[tuple[str, str | None], list[str]] = {}
    for protocol in protocols:
        answers.setdefault(answer(decision, protocol), []).append(f"`{protocol.id}`")
    entries = [("Paper", decision.paper), ("Released code", decision.code)]
    if len(answers) == 1:
        entries.append(("All protocols", decision.here))
    else:
        for (does, source), names in answers.items():
            entries.append((", ".join(names), f"{does} ({source})" if source else does))
    if decision.why is not None:
        entries.append(("Why", decision.why))
    setting = "none reaches it" if decision.setting is None else f"`{decision.setting}`"
    entries.append(("Setting", setting))
    lines = [f"- **{head}**: {text}" for head, text in entries]
    filled = [
        textwrap.fill(
            line, 100, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
        )
        for line in lines
    ]
    return f'\n<a id="{decision.id}"></a>\n\n### {decision.question}\n\n' + "\n".join(filled) + "\n"


def _cell(text: str) -> str:
    """A text in a cell of a table."""
    return text.replace("|", "\\|")
