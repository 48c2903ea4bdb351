"""The committed bench results have the documented fields, and the README's table is made of them."""

import json
from pathlib import Path

import pytest

from benchmarks import run, scaling
from benchmarks.timing import ratio

ROOT = Path(__file__).parents[1]
ROWS = json.loads((ROOT / "benchmarks" / "results.json").read_text())


def test_every_row_says_what_was_measured_against_what_and_whether_it_is_within_its_bar():
    assert len(ROWS) > 10 and len({row["name"] for row in ROWS}) == len(ROWS)
    for row in ROWS:
        assert {"name", "value", "bar", "better", "ok", "peer", "n", "machine"} <= set(row)
        assert row["ok"] == run.verdict(row)


@pytest.mark.parametrize(("value", "bar", "better", "ok"), [
    (1.0, 1.1, "lower", True), (1.2, 1.1, "lower", False), (6, 5, "higher", True), (4, 5, "higher", False),
    (4, None, "lower", None)])
def test_a_verdict_is_on_which_side_of_the_bar_the_value_lies(value, bar, better, ok):
    assert run.verdict({"value": value, "bar": bar, "better": better}) is ok


def test_the_table_in_the_readme_is_that_of_the_results():
    assert scaling.table(ROWS) in (ROOT / "README.md").read_text()


def test_a_ratio_is_that_of_the_work():
    assert ratio(lambda: sum(range(400_000)), lambda: sum(range(100_000)), 9) == pytest.approx(4, rel=0.8)
