"""The page that sets CKA beside stitching: what it draws and says of the bundled runs, and what it offers of others."""

import shlex

import pytest

from analysis.__main__ import _parser, open_store
from analysis.checkpoints.folder import open_run
from analysis.jobs import job
from analysis.pairs.disagreement import INTERCHANGEABLE
from analysis.references import citation
from analysis.runs import remember
from tests.checkpoints.models import copied
from tests.ui.test_pages import charts, healthy, opened

DIGITS = [f"vit-digits-{view}-seed{seed}" for view in ("persistence", "pixels") for seed in (1, 2)]
ARROW = " → "


def across(one, other):
    return f"vit-digits-{one}@step600{ARROW}vit-digits-{other}@step600"


def said(at):
    return " ".join(shown.value for shown in [*at.markdown, *at.caption])


def test_it_opens_on_the_bundled_runs_with_nothing_left_to_compute():
    at = opened("seed_question")
    healthy(at)
    assert not at.info and not at.warning, [shown.value for shown in [*at.info, *at.warning]]
    chart, = charts(at)
    assert [a["text"] for a in chart["layout"]["annotations"]] == [
        "sotu-neox-seed1@step16000 →<br>sotu-neox-seed2@step16000",
        "sotu-neox-seed1@step0 →<br>sotu-neox-seed1@step16000"]
    assert citation("mcguire2022neural") in said(at)


def test_of_the_digits_it_says_where_the_two_disagree_and_that_inputs_differ():
    pair = across("pixels-seed1", "persistence-seed1")
    at = opened("seed_question", runs=DIGITS, rows="mean", pairs=[pair])
    healthy(at)
    assert not at.info and len(charts(at)) == 1
    assert f"{pair}: {INTERCHANGEABLE} at block 2, block 3, block 4, final." in said(at).replace("\\", "")
    assert "inputs differ: pixels, persistence" in said(at)
    table = at.dataframe[0].value
    assert list(table["site"]) == ["embedding", *(f"block {k}" for k in range(1, 5)), "final"]
    assert (table["CKA"] < 0.2).all() and (table["loss recovered"][2:] > 0.9).all()


def test_one_patch_of_each_image_is_said_to_be_too_little():
    at = opened("seed_question", runs=DIGITS[:2])
    healthy(at)
    assert any("Choose the mean of tokens" in info.value for info in at.info)


def test_what_is_missing_is_offered_with_commands_that_the_command_line_takes(tiny_run, tmp_path, monkeypatch):
    run = open_run(copied(tiny_run, tmp_path / "mine"))
    remember(open_store(), run)
    calls = []
    monkeypatch.setattr(job, "start", lambda jobs, argv, title: calls.append(argv))
    at = opened("seed_question", runs="mine")
    healthy(at)
    assert not charts(at) and [info.value for info in at.info] == [
        "Not computed yet for this pair: CKA.", "Not computed yet for this pair: stitches."]
    for what in ("CKA", "stitches"):
        button, = [b for b in opened("seed_question", runs="mine").button if b.label.startswith(f"Compute {what}")]
        button.click().run()
    commands = [shlex.split(code.value)[3:] for code in at.code if code.value.startswith("python -m analysis ")]
    assert [argv[:3] for argv in calls] == [[name, "mine@step0", "mine@step8"] for name in ("compare", "stitch")]
    assert [argv for argv in commands if argv[0] in ("compare", "stitch")] == calls
    for argv in calls:
        _parser().parse_args(argv)


@pytest.mark.parametrize("pairs", ["nonsense", across("pixels-seed1", "nobody")])
def test_a_pair_that_does_not_exist_leaves_the_usual_ones(pairs):
    healthy(opened("seed_question", pairs=[pairs]))
