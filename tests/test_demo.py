"""The bundled runs: made by the scripts beside them, complete, described truthfully, with the known answer in them."""

import csv
import json
import math
import re
import runpy
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer, GPTNeoXForCausalLM

from analysis.__main__ import main
from analysis.extraction.probes import load_probe

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "demo"
RUNS = {folder.name: folder for folder in sorted((DEMO / "runs").iterdir()) if folder.is_dir()}
ROWS = DEMO / "runs" / "known-answers.npz"
ENGLISH, SUMS = ["sotu-neox-seed1", "sotu-neox-seed2"], "modular-addition"
IMAGES = [f"vit-digits-{view}-seed{seed}" for view in ("persistence", "pixels") for seed in (1, 2)]
TEXT_RUNS = [name for name in RUNS if name not in IMAGES]
STEPS = {name: [0, *(2**k for k in range(11)), *range(2000, 16_001, 2000)] for name in ENGLISH} | {
    SUMS: [0, 1, 10, 50, 100, 200, 300, 400, *range(500, 10_001, 500)]} | {name: [0, 100, 600] for name in IMAGES}
READ_BY = ["generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]
PRIME = 59
HALF_PRECISION = 2.0**-10  # twice the rounding of float16: a value on the edge may fall to either side
PICKLES = {".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".npy", ".npz", ".h5", ".msgpack"}


def script(path):
    """The names a script of the demo defines."""
    sys.path.insert(0, str((DEMO / path).parent))
    try:
        return runpy.run_path(str(DEMO / path))
    finally:
        sys.path.pop(0)


@cache
def log(name):
    with (RUNS[name] / "log.csv").open(newline="") as handle:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(handle)]


@cache
def addresses(split):
    return script("sotu/corpus.py")["read"](split)


def weights(folder, step):
    tensors = load_file(folder / f"step{step}" / "model.safetensors")
    return {name: tensor.double() for name, tensor in tensors.items()}


def flat(tensors):
    return torch.cat([tensors[name].flatten() for name in sorted(tensors)])


def retrained(tmp_path, monkeypatch, path, *options):
    """The folder that a training script writes when it is started with these options."""
    monkeypatch.syspath_prepend(str((DEMO / path).parent))
    monkeypatch.setattr(sys, "argv", [path, *options, "--out", str(tmp_path / "run")])
    runpy.run_path(str(DEMO / path), run_name="__main__")
    return tmp_path / "run"


def assert_same_training(new, shipped, steps, rate_sum, rounding):
    """Initial weights agree to rounding; later ones to what another CPU may change, and they moved the same way.

    Adam divides a gradient by its own size, so where the gradient is nothing but rounding error another CPU may take
    the step in the other direction: no weight may differ by more than twice the sum of the learning rates, and all but
    one in a hundred must agree to rounding and a hundredth of that sum.
    """
    start, first = flat(weights(new, 0)), flat(weights(shipped, 0))
    torch.testing.assert_close(start, first, rtol=rounding, atol=1e-7)
    for step in steps:
        ours, theirs = flat(weights(new, step)), flat(weights(shipped, step))
        difference = (ours - theirs).abs() - rounding * theirs.abs()
        assert difference.max() <= 2 * rate_sum
        assert (difference <= 0.01 * rate_sum).double().mean() > 0.99
    assert torch.cosine_similarity(ours - start, theirs - first, dim=0) > 0.99
    assert (theirs - first).abs().median() > 0.1 * rate_sum


# --- trained by the scripts ---


@pytest.mark.slow
def test_training_the_english_run_again_gives_the_shipped_checkpoints(tmp_path, monkeypatch):
    folder = retrained(tmp_path, monkeypatch, "sotu/train.py", "--seed", "1", "--steps", "16000", "--stop", "4")
    shipped = RUNS["sotu-neox-seed1"]
    assert_same_training(folder, shipped, (1, 2, 4), 2e-3 * (1 + 2 + 3 + 4) / 100, HALF_PRECISION)
    for file in ("tokenizer.json", "config.json"):
        assert (folder / "step4" / file).read_bytes() == (shipped / "step4" / file).read_bytes()
    assert json.loads((folder / "run.json").read_text()) | {"name": shipped.name} == json.loads(
        (shipped / "run.json").read_text())
    with (folder / "log.csv").open(newline="") as handle:
        losses = [float(row["loss"]) for row in csv.DictReader(handle)]
    assert losses == pytest.approx([row["loss"] for row in log(shipped.name)[:3]], abs=1e-3)


def test_training_modular_addition_again_gives_the_shipped_checkpoints(tmp_path, monkeypatch):
    folder = retrained(tmp_path, monkeypatch, "modadd/train.py", "--stop", "10")
    assert_same_training(folder, RUNS[SUMS], (1, 10), 1e-3 * sum(range(1, 11)) / 10, 1e-5)
    assert (folder / "step10/tokenizer.json").read_bytes() == (RUNS[SUMS] / "step10/tokenizer.json").read_bytes()


def test_the_seed_sets_the_initial_weights_of_the_english_runs():
    one, two = (flat(weights(RUNS[name], 0)) for name in ENGLISH)
    random = (one != 0) & (one != 1)
    assert abs(torch.corrcoef(torch.stack([one[random], two[random]]))[0, 1]) < 0.01


# --- complete ---


@pytest.mark.parametrize("name", RUNS)
def test_a_run_has_its_facts_its_log_and_exactly_its_checkpoints(name):
    facts = json.loads((RUNS[name] / "run.json").read_text())
    assert facts["name"] == name and load_probe(facts["probe"]).texts
    assert sorted(path.name for path in RUNS[name].iterdir()) == sorted(
        ["log.csv", "run.json", *(f"step{step}" for step in STEPS[name])])
    rows = {row["step"]: row for row in log(name)}
    assert set(STEPS[name]) - {0} <= set(rows) and max(rows) == facts["steps"] == STEPS[name][-1]
    assert list(rows) == sorted(rows)
    assert all(row["tokens"] == step * facts["tokens_per_step"] for step, row in rows.items())
    assert facts["parameters"] == len(flat(weights(RUNS[name], 0)))


@pytest.mark.parametrize("name", ENGLISH)
def test_the_logged_learning_rate_warms_up_and_then_follows_a_cosine(name):
    for row in log(name):
        cosine = 0.1 + 0.45 * (1 + math.cos(math.pi * (row["step"] - 100) / 15_900))
        assert row["learning_rate"] == pytest.approx(2e-3 * min(row["step"] / 100, cosine), rel=1e-3)


@pytest.mark.parametrize("name", RUNS)
def test_every_checkpoint_is_finite_safetensors_of_the_stated_precision_and_none_is_like_another(name):
    dtype = {"float16": torch.float16, "float32": torch.float32}[
        json.loads((RUNS[name] / "run.json").read_text())["weight_dtype"]]
    seen = set()
    for step in STEPS[name]:
        folder = RUNS[name] / f"step{step}"
        rest = ["model.safetensors", "preprocessor_config.json"] if name in IMAGES else READ_BY
        assert sorted(path.name for path in folder.iterdir()) == ["config.json", *rest]
        tensors = load_file(folder / "model.safetensors")
        assert {tensor.dtype for tensor in tensors.values()} == {dtype}
        assert all(torch.isfinite(tensor).all() for tensor in tensors.values())
        seen.add((folder / "model.safetensors").read_bytes())
        kind = json.loads((folder / "config.json").read_text())["model_type"]
        assert kind == ("vit" if name in IMAGES else "gpt_neox")
    assert len(seen) == len(STEPS[name])


@pytest.mark.parametrize("name", TEXT_RUNS)
def test_the_tokenizer_of_every_checkpoint_is_one_and_loads(name):
    files = {(RUNS[name] / f"step{step}" / "tokenizer.json").read_bytes() for step in STEPS[name]}
    assert len(files) == 1
    words = AutoTokenizer.from_pretrained(RUNS[name] / f"step{STEPS[name][-1]}")
    if name == SUMS:
        assert words("58 + 3 =")["input_ids"] == [58, 59, 3, 60]
    else:
        text = load_probe("sotu-held-out").texts[0].text
        assert words.decode(words(text)["input_ids"]) == text and len(words) == 2048


def test_no_file_of_the_demo_could_hold_a_pickle():
    assert [path for path in DEMO.rglob("*") if path.suffix in PICKLES] == [ROWS]
    with np.load(ROWS, allow_pickle=False) as arrays:
        assert {array.dtype.kind for array in arrays.values()} == {"f", "U"}  # a pickle would have to be an object


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs a git checkout")
def test_what_git_keeps_of_the_demo_is_at_most_80_megabytes():
    listed = subprocess.run(["git", "ls-files", "-z", "demo"], cwd=ROOT, capture_output=True, text=True, check=True)
    files = [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()]
    assert len(files) > 300 and sum(path.stat().st_size for path in files) <= 80_000_000


# --- the corpus and what is held out ---


def test_the_corpus_has_233_addresses_with_year_president_and_party():
    documents = addresses(None)
    assert len(documents) == len({document["id"] for document in documents}) == 233
    assert (documents[0]["year"], documents[-1]["year"]) == (1790, 2021)
    assert [document["year"] for document in documents] == sorted(document["year"] for document in documents)
    assert all(len(document["text"]) > 1000 and document["president"] and document["party"] for document in documents)
    assert {"George Washington", "Abraham Lincoln"} <= {document["president"] for document in documents}


def test_the_probe_is_of_exactly_the_addresses_that_were_not_trained_on():
    held_out, trained_on = addresses("probe"), addresses("train")
    texts = load_probe("sotu-held-out").texts
    assert {text.document for text in texts} == {document["id"] for document in held_out}
    assert {text.document for text in texts} | {document["id"] for document in trained_on} == {
        document["id"] for document in addresses(None)}
    assert (len(texts), len(held_out), len(trained_on)) == (1145, 23, 210)
    known = {document["id"]: (" ".join(document["text"].split()), document) for document in held_out}
    for text in texts:
        whole, document = known[text.document]
        assert text.text in whole and len(text.text) <= 400
        assert text.labels == {"year": str(document["year"]), "president": document["president"],
                               "party": document["party"]}


def test_hardly_any_held_out_text_is_quoted_in_an_address_trained_on():
    seen = "\n".join(" ".join(document["text"].split()) for document in addresses("train"))
    texts = load_probe("sotu-held-out").texts[::8]
    assert sum(text.text in seen for text in texts) <= 0.01 * len(texts)


@pytest.mark.parametrize("name", ENGLISH)
def test_the_english_runs_learn_and_agree_with_each_other(name):
    losses = [row["loss"] for row in log(name)]
    assert losses[0] == pytest.approx(math.log(2048), abs=0.1)
    assert 3.2 < np.mean(losses[-100:]) < 3.6


# --- modular addition: the known answer ---


def test_modular_addition_memorises_first_and_generalises_later():
    rows = {row["step"]: row for row in log(SUMS)}
    assert rows[150]["train_accuracy"] > 0.999 and rows[150]["test_accuracy"] < 0.1
    assert rows[2000]["test_accuracy"] == 1.0
    assert np.median([row["test_accuracy"] for step, row in rows.items() if step > 9000]) > 0.99


def test_the_shipped_weights_have_the_accuracy_that_the_log_states():
    seen, unseen = script("modadd/train.py")["split"](1)
    a, b = np.divmod(np.arange(PRIME**2), PRIME)
    texts = torch.tensor(np.stack([a, np.full_like(a, PRIME), b, np.full_like(a, PRIME + 1)], 1))
    rows = {row["step"]: row for row in log(SUMS)}
    for step in (200, 9500, 10_000):
        model = GPTNeoXForCausalLM.from_pretrained(RUNS[SUMS] / f"step{step}")
        with torch.inference_mode():
            right = model(input_ids=texts).logits[:, -1].argmax(1).numpy() == (a + b) % PRIME
        found = [right[seen].mean(), right[unseen].mean()]  # one update after what the log measured
        assert found == pytest.approx([rows[step]["train_accuracy"], rows[step]["test_accuracy"]], abs=0.01)


def test_the_demo_has_values_on_its_own_probe_before_any_sweep(capsys):
    assert main(["show", SUMS, "--measure", "stable_rank", "--site", "final", "--probe", "sums-mod-59", "--json"]) == 0
    records = json.loads(capsys.readouterr().out)
    assert [r["step"] for r in records] == STEPS[SUMS]
    assert {(r["n"], r["d"]) for r in records} == {(PRIME**2, 64)} and all(1 < r["value"] < 64 for r in records)


def test_a_sum_and_its_mirror_image_are_on_the_same_side_of_the_split():
    seen, unseen = (set(rows.tolist()) for rows in script("modadd/train.py")["split"](1))
    assert {b * PRIME + a for a, b in (divmod(row, PRIME) for row in seen)} == seen
    assert not seen & unseen and len(seen | unseen) == PRIME**2 and len(seen) == json.loads(
        (RUNS[SUMS] / "run.json").read_text())["train_texts"]


def share_on_six_circles(step):
    """Share of the variance of the number embeddings in the six strongest Fourier frequencies over Z_59."""
    numbers = weights(RUNS[SUMS], step)["gpt_neox.embed_in.weight"][:PRIME].numpy()
    turns = np.outer(np.arange(PRIME), np.arange(1, PRIME // 2 + 1)) * 2 * np.pi / PRIME
    power = ((np.cos(turns).T @ numbers)**2 + (np.sin(turns).T @ numbers)**2).sum(1) * 2 / PRIME
    total = ((numbers - numbers.mean(0))**2).sum()
    assert power.sum() == pytest.approx(total)
    return np.sort(power)[-6:].sum() / total


def test_the_number_embeddings_end_on_circles():
    assert share_on_six_circles(0) < 0.3
    assert share_on_six_circles(10_000) == pytest.approx(0.9, abs=0.02)


def test_the_demo_readme_states_the_numbers_of_the_log():
    readme = (DEMO / "README.md").read_text()
    rows = {row["step"]: row["test_accuracy"] for row in log(SUMS)}
    stated = re.findall(r"(0\.\d\d) at\s+step\s+([\d,]+)", readme)
    assert len(stated) >= 4
    for value, step in stated:
        assert rows[int(step.replace(",", ""))] == pytest.approx(float(value), abs=0.0051)
