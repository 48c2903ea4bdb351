"""The page Stitching: what it offers, draws and says, for same depth, all pairs and a lens."""

import shlex

import numpy as np
import pytest

from analysis import stitch_views, stitches
from analysis.__main__ import _parser, open_store
from analysis.checkpoints.folder import open_run
from analysis.extraction.probes import load_probe
from analysis.files import cache_root
from analysis.jobs import job
from analysis.runs import find_run, remember
from analysis.stitches import Question
from analysis.stitching.outcome import WARNING
from tests.checkpoints.models import copied
from tests.ui.test_pages import charts, healthy, opened

ALL, LENS = {"pairs": "all pairs of sites"}, {"pairs": "lens: into its own head"}


@pytest.fixture
def mine(tiny_run, tmp_path, probe_file):
    """A run named `mine` that was opened and not computed, and a probe of its own."""
    (cache_root() / "probes").mkdir(parents=True)
    (cache_root() / "probes" / "words.jsonl").write_text(probe_file.read_text())
    run = open_run(copied(tiny_run, tmp_path / "mine"))
    remember(open_store(), run)
    return run


def asked(pairs="same"):
    return Question(load_probe(cache_root() / "probes" / "words.jsonl"), pairs=pairs)


def computed(run, pairs, source=None):
    sender = run.checkpoints[2 if pairs == "lens" else 0]
    ends = stitches.ends(run, sender, run.checkpoints[2])
    stitches.compute(open_store(), ends, asked(pairs), source)
    return ends


def shown(**query):
    return opened("stitching", runs="mine", probe="words", **query)


def told(at):
    return " ".join(element.value for element in [*at.markdown, *at.caption, *at.warning, *at.info])


@pytest.mark.parametrize(("query", "pairs"), [({}, "same"), (ALL, "all"), (LENS, "lens")], ids=["same", "all", "lens"])
def test_what_is_missing_is_offered_with_its_command(mine, monkeypatch, query, pairs):
    calls = []
    monkeypatch.setattr(job, "start", lambda jobs, argv, title: calls.append(argv))
    at = shown(**query)
    healthy(at)
    assert not charts(at) and "not computed yet" in told(at)
    next(b for b in at.button if b.label.startswith("Compute ")).click().run()
    sender = "mine@step8" if pairs == "lens" else "mine@step0"
    assert calls == [["stitch", sender, "mine@step8", "--pairs", pairs, "--probe", "words"]]
    command, = [code.value for code in at.code if code.value.startswith("python -m analysis ")]
    assert shlex.split(command)[3:] == calls[0] and _parser().parse_args(calls[0]).pairs == pairs


@pytest.mark.parametrize(("query", "pairs"), [({}, "same"), (ALL, "all"), (LENS, "lens")], ids=["same", "all", "lens"])
def test_what_is_computed_is_drawn_with_its_baselines_and_caption(mine, query, pairs):
    ends = computed(mine, pairs)
    at = shown(**query)
    healthy(at)
    names = {trace["name"] for trace in charts(at)[0]["data"]}
    assert {"stitch", "untrained sender", "self-stitch", "mean ablation", "shuffled rows", "identity"} <= names
    found = stitch_views.read(open_store(), ends, asked(pairs))
    assert stitch_views.caption(found, "affine") in [caption.value.replace("\\", "") for caption in at.caption]
    assert [b.proto.label for b in at.get("download_button")] == [
        "Figure + table", "Figure (HTML)", "Table (CSV)", "Manifest (JSON)"] * 2
    assert ("logit lens" in told(at)) == (pairs == "lens")
    assert not [b for b in at.button if b.label.startswith("Compute ")] and len(at.dataframe) == 1


def test_what_is_finished_of_an_interrupted_run_is_shown_and_the_rest_offered(mine):
    computed(mine, "all", "block 1")
    at = shown(**ALL)
    healthy(at)
    assert charts(at) and "3 of 4 sites of the sender are not computed yet" in told(at)
    assert at.selectbox(key="from").options == ["block 1"]


def test_same_depth_is_read_from_all_pairs(mine):
    computed(mine, "all")
    at = shown()
    healthy(at)
    assert charts(at) and not [b for b in at.button if b.label.startswith("Compute ")]


def test_the_map_the_quantity_and_the_pair_are_chosen_by_the_url(mine):
    computed(mine, "same")
    at = shown(map="orthogonal", quantity="agreement", pair="block 2 → block 2")
    healthy(at)
    assert at.selectbox(key="map").value == "orthogonal" and at.selectbox(key="pair").value == "block 2 → block 2"
    assert "agree" in str(charts(at)[0]["layout"]["yaxis"]["title"])


@pytest.mark.parametrize("query", [{"map": "zzzz"}, {"pair": "zzzz"}, {"pairs": "zzzz"}, {"sender_at": "step99"}],
                         ids=str)
def test_a_wrong_value_in_the_url_leaves_the_default(mine, query):
    computed(mine, "same")
    at = shown(**query)
    healthy(at)
    assert charts(at)[0]["data"] == charts(shown())[0]["data"]


def test_a_trained_stitch_never_stands_without_its_warning(mine, monkeypatch):
    ends, calls = computed(mine, "same"), []
    monkeypatch.setattr(job, "start", lambda jobs, argv, title: calls.append(argv))
    assert WARNING not in told(shown())
    at = shown(trained="true")
    healthy(at)
    assert WARNING in told(at)
    next(b for b in at.button if b.label.startswith("Compute ")).click().run()
    assert calls[0][-3:] == ["--trained", "block 2", "block 2"]
    stitches.train(open_store(), ends, asked(), ("block 2", "block 2"))
    at = shown(trained="true")
    healthy(at)
    assert WARNING in told(at) and len(at.dataframe) == 2


def test_rows_without_a_model_say_that_there_is_no_tail(tmp_path):
    np.save(tmp_path / "rows.npy", np.random.default_rng(0).standard_normal((40, 5)).astype(np.float32))
    remember(open_store(), find_run(open_store(), str(tmp_path / "rows.npy")))
    at = opened("stitching", runs="rows")
    healthy(at)
    assert "no tail to run" in told(at) and not charts(at)
