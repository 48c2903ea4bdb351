"""Revisions, sizes and files of a served Hub: what is listed, what is fetched, and each way it can fail."""

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.checkpoints import hub as hubs
from analysis.checkpoints.grammar import parse_revision
from analysis.errors import ExplorerError
from tests.hub.conftest import STEPS
from tests.hub.server import Repository, commit


def ref(name):
    return hubs.Ref("lab/run", commit(name), parse_revision(name))


# --- listing ---


def test_every_branch_is_listed_in_order_of_training_and_unknown_names_last(hub):
    found = hubs.refs("lab/tiny")
    assert [r.name for r in found] == [f"step{step}" for step in STEPS] + ["main"]
    assert [r.revision.step for r in found] == [*STEPS, None]
    assert found[3].commit == commit("step4")


def test_tags_are_listed_too(hub, step_folders):
    hub.repositories["lab/bloom"] = Repository(branches={"main": step_folders / "step8"},
                                               tags={"global_step1000": step_folders / "step8"})
    assert [(r.name, r.revision.step) for r in hubs.refs("lab/bloom")] == [("global_step1000", 1000), ("main", None)]


def test_steps_and_tokens_count_on_through_the_stages():
    names = ["stage1-step1000-tokens3B", "stage1-step2000-tokens5B", "stage2-ingredient1-step500-tokens1B",
             "stage2-ingredient2-step700-tokens2B", "stage3-step10-tokens1B", "main"]
    counted = {r.name: (r.revision.step, r.revision.tokens) for r in hubs._counted_on([ref(name) for name in names])}
    assert list(counted.values()) == [(1000, 3 * 10**9), (2000, 5 * 10**9), (2500, 6 * 10**9), (2700, 7 * 10**9),
                                      (2710, 8 * 10**9), (None, None)]


@pytest.mark.parametrize("text", ["", "../etc/passwd", "/etc/passwd", "a/b/c", "a b", "lab/..", "lab/tiny;rm",
                                  "~/model", "lab/" + "x" * 200, "C:\\model", "lab/tiny?x=1", "lab--tiny"])
def test_what_is_not_a_repository_id_is_refused_without_a_request(hub, text):
    with pytest.raises(ExplorerError, match="not the id of a Hub repository"):
        hubs.refs(text)
    assert hub.requests == []


def test_an_existing_folder_is_never_taken_for_a_repository(hub, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil" / "model").mkdir(parents=True)
    with pytest.raises(ExplorerError, match="no repository evil/model on the Hub"):
        hubs.refs("evil/model")


def test_the_address_of_a_page_is_accepted_as_its_id():
    assert hubs.repo_id(" https://huggingface.co/EleutherAI/pythia-70m/ ") == "EleutherAI/pythia-70m"


# --- picking ---


@pytest.mark.parametrize(("how", "steps"), [
    ("all", STEPS), ("every-3", (0, 4, 1000)), ("log-2", (0, 3000)), ("log-1", (3000,)), ("log-99", STEPS),
    ("2..1000", (2, 4, 8, 16, 1000)), ("step4,step1", (4, 1))])
def test_pickers_choose_what_they_say(hub, how, steps):
    assert [r.revision.step for r in hubs.pick(hubs.refs("lab/tiny"), how)] == list(steps)


def test_a_name_without_a_step_can_be_chosen(hub):
    assert [r.name for r in hubs.pick(hubs.refs("lab/tiny"), "main")] == ["main"]


@pytest.mark.parametrize("how", ["", "step5", "log-0", "every-0", "log-", "7..3", "5..7", "all,step1"])
def test_a_choice_of_nothing_says_what_can_be_chosen(hub, how):
    with pytest.raises(ExplorerError, match=r"step0, step1, step2"):
        hubs.pick(hubs.refs("lab/tiny"), how)


@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=300, unique=True), st.integers(1, 60))
def test_log_spaced_steps_are_that_many_and_hold_both_ends(steps, count):
    steps = sorted(steps)
    chosen = hubs.log_spaced(steps, count)
    assert chosen == sorted(set(chosen)) and len(chosen) == min(count, len(steps))
    assert chosen[-1] == len(steps) - 1 and (count == 1 or chosen[0] == 0)


def test_twenty_of_the_steps_of_pythia_are_spread_over_all_magnitudes():
    steps = [0, *(2**k for k in range(10)), *range(1000, 144_000, 1000)]
    chosen = [steps[i] for i in hubs.log_spaced(steps, 20)]
    assert chosen[:4] == [0, 1, 2, 4] and chosen[-1] == 143_000
    assert sum(step >= 1000 for step in chosen) >= 8


# --- what would be fetched ---


def test_only_settings_weights_and_tokenizer_would_be_fetched(hub, step_folders):
    found = hubs.remote("lab/tiny", commit("step8"))
    assert [name for name, _, _ in found.files] == ["config.json", "model.safetensors", "tokenizer.json",
                                                    "tokenizer_config.json"]
    assert found.size == sum((step_folders / "step8" / name).stat().st_size for name, _, _ in found.files)
    assert hub.downloaded() == []


def test_identical_revisions_are_known_without_a_download(hub):
    prints = {step: hubs.remote("lab/tiny", commit(f"step{step}")).fingerprint for step in (1000, 2000, 3000)}
    assert prints[2000] == prints[3000] != prints[1000]


def test_a_revision_with_only_pickles_is_refused(hub, step_folders, tmp_path):
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "pytorch_model.bin").write_bytes(b"")
    hub.repositories["lab/old"] = Repository(branches={"step1": tmp_path / "old"})
    with pytest.raises(ExplorerError, match=r"no model\.safetensors but pytorch_model\.bin"):
        hubs.remote("lab/old", commit("step1"))


# --- fetching ---


def test_fetched_files_are_the_files(hub, step_folders, tmp_path):
    wanted = hubs.remote("lab/tiny", commit("step8"))
    seen = []
    hubs.fetch(wanted, tmp_path / "here", lambda done, total, name: seen.append((done, total)))
    for name, _, _ in wanted.files:
        assert (tmp_path / "here" / name).read_bytes() == (step_folders / "step8" / name).read_bytes()
    assert seen[0][0] == 0 and seen[-1] == (wanted.size, wanted.size) and seen == sorted(seen)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_a_file_that_arrives_damaged_is_refused_and_removed(hub, tmp_path, name):
    hub.damage.add(name)
    with pytest.raises(ExplorerError, match=f"{name} .* arrived damaged"):
        hubs.fetch(hubs.remote("lab/tiny", commit("step8")), tmp_path / "here")
    assert not (tmp_path / "here" / name).exists()


# --- what can go wrong ---


def test_an_unknown_repository_is_named(hub):
    with pytest.raises(ExplorerError, match="no repository lab/nothing on the Hub, or it is private"):
        hubs.refs("lab/nothing")


def test_a_gated_repository_says_how_to_get_in_and_opens_with_a_token(hub, monkeypatch):
    with pytest.raises(ExplorerError, match=r"gated: ask for access .* HF_TOKEN"):
        hubs.refs("lab/gated")
    monkeypatch.setenv("HF_TOKEN", "hf_good")
    assert [r.name for r in hubs.refs("lab/gated")] == ["main"]
    assert hub.requests[-1][2] == "Bearer hf_good"


def test_a_token_is_in_no_message(hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with pytest.raises(ExplorerError) as caught:
        hubs.refs("lab/gated")
    assert "hf_secret" not in str(caught.value)


def test_a_revision_that_is_gone_says_how_to_list_what_is_there(hub):
    with pytest.raises(ExplorerError, match="python -m analysis revisions hub:lab/tiny"):
        hubs.remote("lab/tiny", "0" * 40)


def test_offline_mode_is_respected_and_said(hub, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ExplorerError, match="HF_HUB_OFFLINE is set"):
        hubs.refs("lab/tiny")
    assert hub.requests == []


def test_no_network_is_a_sentence(hub, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{free.getsockname()[1]}")
    with pytest.raises(ExplorerError, match="Check the network"):
        hubs.refs("lab/tiny")
