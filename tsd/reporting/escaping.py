"""Text made safe for Markdown, LaTeX and HTML, symbols such as P̂_c turned into mathematics."""

import re

from markupsafe import Markup, escape

SYMBOL = re.compile("([A-Z]\u0302?)_([A-Za-z0-9]+)")
"""A quantity of the paper: a capital letter, perhaps with a hat, and its subscript."""

HAT = re.compile("([A-Za-z])\u0302")

LATEX = {
    "\\": r"\textbackslash{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "Δ": r"$\Delta$",
    "✓": r"$\checkmark$",
    "×": r"$\times$",
    "±": r"$\pm$",
    "−": "$-$",
    "–": "--",
    "—": "---",
    "\n": " ",
}


def latex(text: str) -> str:
    """Escape for LaTeX's text mode (needs amssymb for the check mark)."""
    parts: list[str] = []
    end = 0
    for symbol in SYMBOL.finditer(text):
        letter = HAT.sub(r"\\hat{\1}", symbol[1])
        parts.append(latex_characters(text[end : symbol.start()]))
        parts.append(rf"${letter}_{{\mathrm{{{symbol[2]}}}}}$")
        end = symbol.end()
    return "".join([*parts, latex_characters(text[end:])])


def latex_characters(text: str) -> str:
    """Escape what LaTeX would take for a command, and symbols its fonts may lack."""
    escaped = "".join(LATEX.get(character, character) for character in text)
    return HAT.sub(r"$\\hat{\1}$", escaped).replace("\u0302", r"\^{}")


def markdown(text: str) -> str:
    """Escape for a cell of a Markdown table, on one line."""
    safe = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\`*\[\]|~]|(?<!\w)_|_(?!\w))", r"\\\1", safe)


def html(text: str) -> Markup:
    """Escape for HTML, subscripts set as such."""
    return Markup(SYMBOL.sub(r"\1<sub>\2</sub>", str(escape(text))))  # noqa: S704
