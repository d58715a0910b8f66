"""What the reports' tables come to in LaTeX, if it is installed."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.reporting.conftest import NASTY, row, table
from tsd.reporting.tables import to_latex
from tsd.results.collected import Results

PUBLISHED = Path("reports/published/mini/results.json")

needs_latex = pytest.mark.skipif(
    shutil.which("pdflatex") is None,
    reason="pdflatex is not installed (Debian: texlive-latex-base, texlive-latex-recommended)",
)


def compiled(tables, folder):
    """Compile a document of some tables, and return the compiler's log."""
    names = []
    for number, text in enumerate(tables):
        names.append(f"table{number}")
        (folder / f"{names[-1]}.tex").write_text(text, encoding="utf-8")
    packages = next(line for line in tables[0].splitlines() if "usepackage" in line)
    (folder / "all.tex").write_text(
        "\n".join(
            [
                r"\documentclass{article}",
                packages.removeprefix("% needs "),
                r"\begin{document}",
                *(rf"\input{{{name}}}\clearpage" for name in names),
                r"\end{document}",
            ]
        )
    )
    done = subprocess.run(
        ["pdflatex", "-draftmode", "-interaction=nonstopmode", "-halt-on-error", "all.tex"],
        cwd=folder,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=300,
    )
    log = (folder / "all.log").read_text(errors="replace")
    assert done.returncode == 0, log[-3000:]
    return log


@needs_latex
def test_every_table_compiles_and_fits_the_line(results, tmp_path):
    published = Results.read(PUBLISHED)
    wide = table(
        "wide",
        row(NASTY + r" \ ~ ^ { } ✓ × ± − – — | 200 px", "better", "base", AP=38.5),
        attributes=[f"a long head {number}" for number in range(12)],
    )
    texts = [to_latex(published, one) for one in published.tables]
    texts += [to_latex(results, one) for one in (*results.tables, wide)]
    assert len(texts) > 12
    log = compiled(texts, tmp_path)
    for fault in ("Missing character", "Float too large", "undefined"):
        assert fault not in log, log[log.index(fault) - 200 :][:600]
    too_wide = [float(points) for points in re.findall(r"Overfull \\hbox \(([0-9.]+)pt", log)]
    assert max(too_wide, default=0) < 5  # a word of a caption that has no place to break


@needs_latex
def test_a_table_that_does_not_compile_is_noticed(tmp_path):
    text = "% needs \\usepackage{booktabs}\n\\begin{tabular}{l} \\unknown \\end{tabular}"
    with pytest.raises(AssertionError, match="Undefined control sequence"):
        compiled([text], tmp_path)
