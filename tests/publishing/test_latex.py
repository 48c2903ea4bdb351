"""Methods sentences in a LaTeX document, with the figure and its references: compiled where pdflatex is there."""

import io
import shutil
import string
import subprocess
import zipfile

import pytest

from analysis import references, registry
from analysis.publishing import methods
from analysis.publishing.bundle import Piece, bundle
from analysis.publishing.latex import latex
from analysis.publishing.layout import Print
from tests.figures.made import record
from tests.publishing.made import lines, needs_browser

SIGNS = "100 % of α_x & β² ≥ 3 × σ ± 1, #7 ~ ^ {a} \\b $c$ ‖W‖ ½ “so” – 1…2 → √n ∞ Δ Α <p> |q|"
NAMES = "Székely & Rügamer, Schönemann, Michał, Čech, Ångström, ß"
TOOLS = [tool for tool in ("pdflatex", "bibtex") if not shutil.which(tool)]
needs_latex = pytest.mark.skipif(bool(TOOLS), reason=f"no {' and no '.join(TOOLS)}; see docs/adr/0019-figure-studio.md")
ARTICLE = r"""\documentclass[twocolumn]{article}
\usepackage[utf8]{inputenc}\usepackage[T1]{fontenc}\usepackage{graphicx}
\begin{document}
\section{Methods}
\input{methods}
EXTRA
\begin{figure}\includegraphics{figure.pdf}\caption{A figure.}\end{figure}
\bibliographystyle{plain}\bibliography{references}
\end{document}
"""


def piece():
    """A figure whose records name every measure there is, so that every entry is cited."""
    named = [("measure", name) for name in registry.all_measures()] + [("procedure", name)
                                                                       for name in methods.PROCEDURES]
    records = [record("alpha_1", 0, 3.0) | {"measure": "", "procedure": "", kind: name,
                                            "protocol": {"probe": "a_b@1", "params": {}}} for kind, name in named]
    return Piece(lines(), records, "RankMe & co", f"{SIGNS} {NAMES}")


def compiled(folder, extra=""):
    """What pdflatex says of an article with the files of a zip, after bibtex."""
    (folder / "paper.tex").write_text(ARTICLE.replace("EXTRA", extra), encoding="utf-8")
    said = ""
    for command in (["pdflatex"], ["bibtex"], ["pdflatex"], ["pdflatex"]):
        options = ["-interaction=nonstopmode", "-halt-on-error"] if command == ["pdflatex"] else []
        done = subprocess.run([*command, *options, "paper"], cwd=folder, capture_output=True, timeout=120)
        said = done.stdout.decode(errors="replace")
        assert done.returncode == 0, said[-3000:]
    return said


def test_what_latex_would_take_for_a_command_is_escaped_and_citations_stay():
    assert latex(r"5 % of a_b \cite{li2025tracing,x_y}") == r"5 \% of a\_b \cite{li2025tracing,x_y}"
    assert latex("α ≥ β²") == r"$\alpha$ $\geq$ $\beta$$^2$" and latex("½ ₁") == "1/2 1"
    assert latex("Ω Α ο") == r"$\Omega$ $\mathrm{A}$ $o$" and latex("★") == "[black star]"
    assert latex(NAMES).replace(r"\&", "&") == NAMES


def test_no_letter_is_lost_and_plain_ones_stay_as_they_are():
    plain = string.ascii_letters + string.digits + " .,;:()[]+-=*/?!@'\n"
    assert latex(plain) == plain
    assert all(latex(letter).strip() for letter in SIGNS + NAMES if not letter.isspace())


def test_the_zip_holds_the_escaped_sentences_beside_the_plain_ones():
    archive = zipfile.ZipFile(io.BytesIO(bundle([piece()], Print(), [])))
    assert archive.read("methods.tex").decode() == latex(archive.read("methods.txt").decode())


@needs_latex
@needs_browser
@pytest.mark.browser
def test_the_zip_becomes_a_paper_with_its_figure_and_every_reference(tmp_path):
    zipfile.ZipFile(io.BytesIO(bundle([piece()], Print(), ["pdf"]))).extractall(tmp_path)
    said = compiled(tmp_path, r"\the\columnwidth")
    assert "undefined" not in said, "no citation without its entry"
    assert (tmp_path / "paper.bbl").read_text(encoding="utf-8").count(r"\bibitem") == len(
        methods.keys(piece().records)) + 1
    fonts = subprocess.run(["pdffonts", "paper.pdf"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    rows = [row for row in fonts.splitlines()[2:] if "Liberation" in row]
    assert rows and all("TrueType" in row and row.split()[-5] == "yes" for row in rows)
    text = subprocess.run(["pdftotext", "paper.pdf", "-"], cwd=tmp_path, capture_output=True, text=True,
                          check=True).stdout
    assert "Training (optimizer steps)" in text, "the words of the figure can be searched for"


@needs_latex
def test_every_entry_of_the_bibliography_is_read_by_bibtex(tmp_path):
    (tmp_path / "references.bib").write_bytes(references.BIBLIOGRAPHY.read_bytes())
    (tmp_path / "methods.tex").write_text(r"\nocite{*}" + latex(SIGNS + NAMES), encoding="utf-8")
    (tmp_path / "figure.pdf").touch()
    article = ARTICLE.replace(r"\begin{figure}\includegraphics{figure.pdf}\caption{A figure.}\end{figure}", "")
    (tmp_path / "paper.tex").write_text(article.replace("EXTRA", ""), encoding="utf-8")
    for command in (["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper"], ["bibtex", "paper"]):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=120)
        assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]
    log = (tmp_path / "paper.blg").read_text(errors="replace")
    assert "Warning--I didn't find" not in log and "repeated entry" not in log
