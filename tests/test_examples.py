"""Every example of docs/python.md runs as it stands there, and gives the numbers that the app's own pages show."""

import re
import subprocess
import sys
from contextlib import chdir

import numpy as np
import pytest

import analysis
from analysis import compute, registry
from analysis.__main__ import PROJECT, open_store
from analysis.extraction.library import find_probe
from analysis.publishing.view import View
from analysis.runs import find_run
from tests.test_docs import fences
from ui.headless import drawn

DOCUMENT = (PROJECT / "docs" / "python.md").read_text(encoding="utf-8")
PARTS = re.findall(r"^## (.+?)$(.*?)(?=^## |\Z)", DOCUMENT, re.DOTALL | re.MULTILINE)
EXAMPLES = {title: fences(text)[0] for title, text in PARTS if "```python" in text}
SEED_1, SEED_2 = "sotu-neox-seed1", "sotu-neox-seed2"


@pytest.fixture
def shown(tmp_path, capsys):
    """Runs an example by the words of its title in a fresh namespace; gives the namespace, and what was printed."""
    def run(words):
        (code,) = [code for title, code in EXAMPLES.items() if words in title]
        space = {"__name__": "example"}
        with chdir(tmp_path):  # Streamlit reads its settings from where it is first used, which must not be there
            exec(compile(code, "docs/python.md", "exec"), space)
        return space, capsys.readouterr().out
    return run


def records(measure):
    store = open_store()
    run = find_run(store, SEED_1)
    return compute.records(store, run, measure=measure, site="final", policy="last", probe=find_probe(
        "sotu-held-out").identity)


def test_each_example_has_a_test_here():
    tested = {"effective rank", "CKA of two arrays", "DataFrame", "Phases", "as HTML", "matrix of similarities",
              "map of points", "stitch costs"}
    assert len(EXAMPLES) == len(tested)
    assert all(sum(words in title for title in EXAMPLES) == 1 for words in tested)


def test_the_effective_rank_of_an_array_is_that_of_its_eigenvalues(shown):
    space, said = shown("effective rank")
    p = np.linalg.eigvalsh(np.cov(space["x"].T))
    p = p / p.sum()
    assert space["found"].value == pytest.approx(np.exp(-(p * np.log(p)).sum()), rel=1e-9)
    assert space["found"].low < space["found"].value < space["found"].high and f"{space['found'].value:.1f}" in said


def test_cka_of_two_arrays_is_that_of_the_measure(shown):
    space, said = shown("CKA of two arrays")
    assert space["found"]["value"] == pytest.approx(registry.get("linear_cka_debiased")(space["x"], space["y"]).value,
                                                    rel=1e-9)
    assert space["found"]["p"] == 1 / 200 and "199 shuffles" in said


def test_the_table_of_a_run_holds_the_values_of_the_page(shown):
    space, _ = shown("DataFrame")
    wanted = records("rankme_covariance")
    assert space["table"][["value", "low", "high"]].to_numpy().tolist() == [
        [record[name] for name in ("value", "low", "high")] for record in wanted] and len(wanted) == 20


def test_phases_are_those_of_the_page(shown):
    space, _ = shown("Phases")
    at = drawn(View.of_link(f"phases?runs={SEED_1}&sites=final"))
    drawn_phases = str(at["pieces"][0]["figure"])
    assert space["named"] and all(row["phase"] in drawn_phases for row in space["named"])


def test_a_figure_of_a_link_is_that_of_the_page_and_opens_offline(shown, tmp_path):
    space, said = shown("as HTML")
    (piece,) = drawn(View.of_link(f"trajectories?runs={SEED_2}&sites=block+2"))["pieces"]
    assert space["values"] == [record["value"] for record in piece["records"]] and len(space["values"]) == 20
    assert {record["site"] for record in piece["records"]} == {"block 2"}
    assert piece["caption"] in said and b"Plotly.newPlot" in (tmp_path / "figure.html").read_bytes()


def test_the_matrix_is_that_of_the_page(shown):
    space, _ = shown("matrix of similarities")
    (piece,) = drawn(View.of_link(f"similarity?runs={SEED_1}&runs={SEED_2}"))["pieces"]
    assert space["table"].value.tolist() == [record["value"] for record in piece["records"]]
    assert len(space["table"]) == 36


def test_the_map_is_the_bundled_one(shown):
    space, said = shown("map of points")
    assert space["found"].positions.shape == (12, 1000, 2) and "trustworthiness" in said


def test_the_cost_of_a_stitch_is_that_of_the_page(shown):
    space, _ = shown("stitch costs")
    assert len(space["stitched"]) == 6
    page = drawn(View.of_link(f"stitching?runs={SEED_1}&runs={SEED_2}"))["pieces"][0]["records"]
    wanted = {record["target"]: record["penalty"] for record in page
              if record["of"] == "sender" and record["map"] == "affine"}
    assert {record["target"]: record["penalty"] for record in space["stitched"]} == wanted


def test_an_example_runs_in_an_interpreter_that_knows_nothing_of_the_tests(tmp_path):
    code = next(code for title, code in EXAMPLES.items() if "DataFrame" in title)
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=PROJECT, capture_output=True, text=True,
                          timeout=120)
    assert done.returncode == 0 and "value" in done.stdout, done.stderr


def test_names_of_the_table_of_the_document_are_those_of_the_surface():
    table = next(part for part in DOCUMENT.split("\n\n") if part.startswith("| name"))
    assert set(re.findall(r"\b(\w+)(?:\(|\.parse\()", table)) == set(analysis.__all__)
