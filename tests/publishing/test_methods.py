"""Sentences for a methods section, and the bibliography that they cite."""

import re
import tomllib

import pytest

from analysis import references, registry, stitch_views, summaries
from analysis.errors import ExplorerError
from analysis.maps import reading
from analysis.pairs import layout
from analysis.publishing import methods
from analysis.topology import recovered, words
from analysis.weight_measures import BY_NAME

PROTOCOL = {"probe": "pile@1a2b", "policy": "mean", "dtype": "float32", "params": {}}
RANK, CKA = registry.get("rankme_covariance"), registry.get("linear_cka_debiased")


def record(measure=RANK, revision="step8", **given):
    return {"run": "tiny", "revision": revision, "site": "final", "measure": measure.name, "n": 512, "d": 16,
            "low": 1.0, "high": 2.0, "value": 1.5, "protocol": PROTOCOL} | given


def pair(**given):
    sides = {f"{name}{side}": value for side, run in (("_a", "tiny"), ("_b", "other")) for name, value in
             {"run": run, "revision": "step8", "site": "final", "protocol": PROTOCOL}.items()}
    return sides | {"measure": CKA.name, "value": 0.5, "low": None, "high": None, "draws": 99} | given


def test_a_sentence_names_measure_site_checkpoints_texts_and_rows():
    said = methods.methods([record(revision=step) for step in ("step0", "step1", "step8")])
    assert said.startswith(f"{RANK.label} \\cite{{{RANK.reference}}} was computed at final for 3 checkpoints of tiny "
                           "(step0 to step8) (probe pile@1a2b; rows: mean; float32 forward pass), with n = 512 rows of "
                           "d = 16. Intervals are 95 % (jackknife")


def test_several_measures_runs_and_sites_are_all_named_sites_in_their_order():
    said = methods.methods([record(), record(CKA, run="other", site="block 10"), record(site="block 2")])
    assert f"{RANK.label} \\cite" in said and f" and {CKA.label} \\cite" in said and "were computed" in said
    assert "at block 2, block 10 and final" in said and "1 checkpoint of tiny (step8) and 1 checkpoint of other" in said


def test_both_sides_of_a_pair_are_counted_and_draws_are_said():
    said = methods.methods([pair()])
    assert "1 checkpoint of tiny (step8) and 1 checkpoint of other (step8)" in said
    assert "from 99 draws" in said and "Intervals" not in said


def test_many_sizes_are_said_by_their_ends_and_checkpoints_in_the_order_of_steps():
    said = methods.methods([record(n=n, step=step, revision=f"step{step}") for n, step in
                            zip(range(100, 600, 100), (16, 2, 0, 8, 4), strict=True)])
    assert "n = 100 to 500 rows" in said and "(step0 to step16)" in said
    assert "(base to dpo)" in methods.methods([record(revision=name, step=None) for name in ("base", "sft", "dpo")])


def test_weights_have_neither_texts_nor_rows():
    weights = next(iter(BY_NAME.values()))
    said = methods.methods([record(weights, site="lm_head", low=None)])
    assert "at lm_head for 1 checkpoint of tiny (step8). All" in said


def test_draws_of_what_is_no_comparison_are_left_to_the_caption():
    assert "draws" not in methods.methods([{"summary": "longest", "draws": 10}])


def test_settings_and_seeds_are_said():
    said = methods.methods([record(protocol=PROTOCOL | {"params": {"window_low": 3}, "seed": 7}), record(seed=2)])
    assert "with window low = 3" in said and "The seed was 2 and 7." in said


def test_what_the_records_do_not_say_is_not_said():
    said = methods.methods([{"x": 1.0}])
    assert said.startswith("The values shown were computed. All was made with Representation Geometry Explorer")
    assert "None" not in methods.methods([record(n=None, d=None, low=None, protocol=None, site=None)])


def test_captions_follow_the_sentences_in_their_order():
    assert methods.methods([record()], ["Figure a: one.", "", "Figure b: two."]).split("\n\n")[1:] == [
        "Figure a: one.", "Figure b: two.\n"]


@pytest.mark.parametrize("name", [*registry.all_measures(), *BY_NAME])
def test_every_measure_has_an_entry_that_its_sentence_cites(name):
    records = [{"measure": name}]
    cited = re.findall(r"\\cite\{([\w-]+)\}", methods.methods(records))
    entries = methods.bibliography(methods.keys(records))
    assert re.findall(r"^@\w+\{([\w-]+),", entries, re.MULTILINE) == cited
    assert cited[0] in references.entries() and cited[-1] == methods.OWN_KEY


def test_the_bibliography_has_each_key_once_word_for_word_and_the_app_last():
    found = methods.bibliography([RANK.reference, CKA.reference, RANK.reference]).splitlines()
    assert len(found) == 3 and all(line in references.BIBLIOGRAPHY.read_text(encoding="utf-8") for line in found[:2])
    assert found[2].startswith("@misc{explorer,") and found[2].count("{") == found[2].count("}")
    assert methods.OWN_KEY not in references.entries(), "no measure has the app's own key"


def test_a_key_without_an_entry_is_refused():
    with pytest.raises(ExplorerError, match="no entry nobody2020"):
        methods.bibliography(["nobody2020"])


def test_the_software_is_named_with_its_version_and_without_git_without_a_commit(monkeypatch):
    project = tomllib.loads((methods.HOME / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert methods.software()["version"] == project["version"]
    assert re.fullmatch(r"[0-9a-f]{40}|", methods.software()["commit"])

    def absent(*_, **__):
        raise FileNotFoundError("git")
    monkeypatch.setattr(methods.subprocess, "run", absent)
    assert methods.software.__wrapped__()["commit"] == ""


# --- what is no measure ---


@pytest.mark.parametrize("name", methods.PROCEDURES)
def test_a_procedure_is_a_sentence_with_sources_that_the_bibliography_has(name):
    records = [{"procedure": name, "run": "tiny", "revision": "step8"}]
    said, sentence = methods.methods(records), methods.PROCEDURES[name]
    assert f" {sentence} All was made with" in said and sentence[0].isupper() and sentence.endswith(".")
    assert methods.keys(records) and set(methods.keys(records)) <= set(references.entries())
    assert said.startswith("The values shown were computed for 1 checkpoint of tiny")


def test_a_procedure_follows_the_measure_it_was_done_with_and_is_said_once():
    records = [record() | {"procedure": "bars"}, record() | {"procedure": "longest bar"}]
    said = methods.methods(records)
    assert methods.PROCEDURES["bars"] == methods.PROCEDURES["longest bar"] and said.count("Vietoris-Rips") == 1
    assert methods.keys(records)[0] == RANK.reference and "bauer2021ripser" in methods.keys(records)


def test_a_procedure_that_nobody_wrote_down_fails_instead_of_being_left_out():
    with pytest.raises(KeyError, match="alchemy"):
        methods.methods([{"procedure": "alchemy"}])


def test_no_two_modules_call_different_procedures_by_one_name():
    tables = [summaries.PROCEDURES, stitch_views.PROCEDURES, layout.PROCEDURES, reading.PROCEDURES, words.PROCEDURES,
              recovered.PROCEDURES]
    assert sum(map(len, tables)) == len(methods.PROCEDURES)
