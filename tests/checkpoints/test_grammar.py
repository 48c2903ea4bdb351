"""Revision names of public suites, as quoted in their repositories, and names that nobody thought of."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.checkpoints.grammar import parse_revision

KNOWN = [  # name, step, tokens, stage, seed
    ("step0", 0, None, None, None),
    ("step143000", 143_000, None, None, None),
    ("step1000-tokens4B", 1000, 4 * 10**9, None, None),
    ("step556000-tokens2460B", 556_000, 2460 * 10**9, None, None),
    ("step2627139-tokens15T", 2_627_139, 15 * 10**12, None, None),
    ("stage1-step101000-tokens424B", 101_000, 424 * 10**9, "1", None),
    ("stage1-step1907359-tokens4001B", 1_907_359, 4001 * 10**9, "1", None),
    ("stage2-ingredient1-step23852-tokens51B", 23_852, 51 * 10**9, "2-ingredient1", None),
    ("stage2-ingredient4-step35773-tokens300B", 35_773, 300 * 10**9, "2-ingredient4", None),
    ("stage3-step11921", 11_921, None, "3", None),
    ("stage1-step-40000", 40_000, None, "1", None),
    ("stage3-step-4720000", 4_720_000, None, "3", None),
    ("lc-4k-to-32k-step-4000", 4000, None, "lc-4k-to-32k", None),
    ("lc-32k-to-64k-step-20000", 20_000, None, "lc-32k-to-64k", None),
    ("step-240000", 240_000, None, None, None),
    ("ckpt_000", 0, None, None, None),
    ("ckpt_358", 358, None, None, None),
    ("CrystalCoder_phase2_checkpoint_000123", 123, None, "2", None),
    ("global_step1000", 1000, None, None, None),
    ("step1250-seed-default", 1250, None, None, "default"),
    ("step29901-seed-small-aux-2", 29_901, None, None, "small-aux-2"),
    ("step5725-seed-large-aux-3", 5725, None, None, "large-aux-3"),
    ("multiberts-seed_0-step_20k", 20_000, None, None, "0"),
    ("google/multiberts-seed_4-step_2000k", 2_000_000, None, None, "4"),
    ("multiberts-seed_0-step_0k", 0, None, None, "0"),
    ("multiberts-seed_24", None, None, None, "24"),
    ("step_200", 200, None, None, None),
    ("checkpoint-500", 500, None, None, None),
]
UNKNOWN = ["main", "", "it-SFT", "it-mid-training", "extension_step1000", "step", "step12x", "xstep12", " step12",
           "step12\n", "step-1-tokens", "step1000-tokens4G", "ckpt_12", "stage-step1", "Step12", "step1.5"]
PIECES = ["step", "stage", "ckpt", "checkpoint", "tokens", "seed", "multiberts", "ingredient", "lc", "default", "-",
          "_", "k", "B", "T", "0", "1", "40", "000", "٣", "/", "\n", " "]


@pytest.mark.parametrize(("name", "step", "tokens", "stage", "seed"), KNOWN, ids=[row[0] for row in KNOWN])
def test_a_name_of_a_public_suite_gives_its_parts(name, step, tokens, stage, seed):
    revision = parse_revision(name)
    assert (revision.step, revision.tokens, revision.stage, revision.seed) == (step, tokens, stage, seed)
    assert revision.name == name and revision.family


@pytest.mark.parametrize("name", UNKNOWN)
def test_an_unknown_name_gives_nothing_but_the_name(name):
    revision = parse_revision(name)
    assert (revision.family, revision.step, revision.tokens, revision.stage, revision.seed) == (None,) * 5
    assert revision.name == name


@given(st.text() | st.lists(st.sampled_from(PIECES)).map("".join))
def test_no_name_raises_and_every_name_is_kept(name):
    revision = parse_revision(name)
    assert revision.name == name
    assert revision.family or revision.step is None
    assert all(number is None or number >= 0 for number in (revision.step, revision.tokens))


@given(st.integers(0, 10**18))
def test_a_step_folder_reads_back_its_step(step):
    assert parse_revision(f"step{step}").step == parse_revision(f"checkpoint-{step}").step == step


@given(st.integers(0, 10**9), st.integers(0, 10**6), st.sampled_from("BT"))
def test_a_token_label_is_read_with_its_unit(step, tokens, unit):
    revision = parse_revision(f"step{step}-tokens{tokens}{unit}")
    assert (revision.step, revision.tokens) == (step, tokens * {"B": 10**9, "T": 10**12}[unit])
