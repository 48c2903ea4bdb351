"""The cache says how much room it takes, and gives some back without losing a number."""

import json
import os
import shutil
import signal
import time
from dataclasses import replace

import numpy as np
import pytest

from analysis import compute, similarity, storage
from analysis.__main__ import main
from analysis.extraction import forward
from analysis.registry import all_measures, get
from analysis.results import PairMatrix
from analysis.store import ROWS, Store
from tests.store.test_damage import damaged, failing, flipped, reported
from tests.store.test_store import KEY, contents, matrix_key, representation, same_representation, scalar

OLD = 2 * storage.IN_USE_S
SINGLE = [measure for measure in all_measures().values() if measure.arity == 1]
SIZES = (40, 10, 30, 20)  # rows of each representation, that which was read longest ago first


def key_of(number):
    return replace(KEY, fingerprint=f"weights-{number}")


def aged(path, seconds):
    os.utime(path, (time.time() - seconds,) * 2)


def rows_of(store, number):
    return store.root / "representations" / key_of(number).digest / ROWS


def all_rows(store):
    return sorted((store.root / "representations").glob(f"*/{ROWS}"))


@pytest.fixture
def full(store):
    """A store of four representations that were last used an hour apart, with a value and a matrix."""
    for number, n in enumerate(SIZES):
        store.put_representation(key_of(number), representation(number, n=n))
        store.put_results([scalar(float(number), of=key_of(number))])
        aged(rows_of(store, number), OLD + 3600 * (len(SIZES) - number))
    store.put_matrix(matrix_key(), PairMatrix(values=np.ones((1, 2))))
    return store


@pytest.fixture
def swept(store, run, protocol):
    """A store in which every measure of a run is computed, and nothing was used lately."""
    compute.sweep(store, [run], protocol, SINGLE)
    for path in all_rows(store):
        aged(path, OLD)
    return store


@pytest.fixture
def passes(monkeypatch):
    """Grows by one with every forward pass over a probe."""
    made, extract = [], forward.extract
    monkeypatch.setattr(forward, "extract", lambda *given: made.append(1) or extract(*given))
    return made


@pytest.fixture
def cli(capsys):
    """Runs a command in this process and gives its exit code, standard output and standard error."""
    def run(*arguments):
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as ended:
            code = ended.code
        return code, *capsys.readouterr()
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield run
    _ = [signal.signal(*pair) for pair in before.items()]


# --- usage ---


def test_the_bytes_of_each_kind_are_those_that_were_written(store):
    written = {}
    for size, kind in enumerate(storage.KINDS, start=1):
        for place in ("file", "a/b/deep", ".hidden", "λ x/empty"):
            path = store.root / kind / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(bytes(0 if place.endswith("empty") else 1000 * size + len(place)))
        written[kind] = 3000 * size + len("file") + len("a/b/deep") + len(".hidden")
    assert storage.usage(store) == written
    assert {"representations", "results", "matrices", "uploads", "downloads", "jobs", "damaged"} <= set(written)


def test_a_store_that_was_never_written_takes_no_room_and_is_not_made(store):
    assert set(storage.usage(store).values()) == {0} and storage.reclaim(store, 0) == 0 and not store.root.exists()


def test_a_folder_that_goes_while_it_is_counted_is_passed_over(store, monkeypatch):
    """As a sweep's temporary folders do when they get their final names."""
    size = storage._size
    for name in "ab":
        (store.root / "representations" / name).mkdir(parents=True)
        (store.root / "representations" / name / ROWS).write_bytes(bytes(100))

    def taking_the_other(path):
        if path.name == ROWS:
            shutil.rmtree(path.parents[1] / ("b" if path.parent.name == "a" else "a"), ignore_errors=True)
        return size(path)
    monkeypatch.setattr(storage, "_size", taking_the_other)
    assert storage.usage(store)["representations"] == 100


# --- letting rows go ---


def expected_left(store, budget):
    """By hand: one after the other goes, in order of use, until what is left fits."""
    left = list(range(len(SIZES)))
    sizes = [rows_of(store, number).stat().st_size for number in left]
    while left and sum(sizes[number] for number in left) > budget:
        left.pop(0)
    return left


@pytest.mark.parametrize("share", [0, 0.1, 0.2, 0.35, 0.5, 0.6, 0.9, 0.99999, 1, 2])
def test_rows_read_longest_ago_go_first_until_the_others_fit_the_budget(full, share):
    budget = share * sum(path.stat().st_size for path in all_rows(full))
    expected, before = expected_left(full, budget), sum(storage.usage(full).values())
    freed = storage.reclaim(full, budget)
    assert [number for number in range(len(SIZES)) if rows_of(full, number).exists()] == expected
    assert freed == before - sum(storage.usage(full).values())
    assert sum(path.stat().st_size for path in all_rows(full)) <= budget


def test_the_budget_is_met_exactly_and_a_byte_less_costs_one_more(full):
    last_two = sum(rows_of(full, number).stat().st_size for number in (2, 3))
    for budget, left in ((last_two, {2, 3}), (last_two - 1, {3})):
        storage.reclaim(full, budget)
        assert set(all_rows(full)) == {rows_of(full, number) for number in left}


def test_nothing_but_rows_goes(full):
    before = contents(full.root)
    rows = {path.relative_to(full.root) for path in all_rows(full)}
    storage.reclaim(full, 0)
    assert contents(full.root) == {path: found for path, found in before.items() if path not in rows}
    assert len(rows) == len(SIZES) and full.get_matrix(matrix_key()).values.tolist() == [[1.0, 1.0]]
    assert [stored.result.value for n in range(4) for stored in full.results(key_of(n)).values()] == [0, 1, 2, 3]


def test_what_was_used_in_the_last_ten_minutes_stays_whatever_the_budget(full):
    for ago, left in ((590, {0, 1}), (610, {0})):
        aged(rows_of(full, 0), 0)
        aged(rows_of(full, 1), ago)
        storage.reclaim(full, 0)
        assert set(all_rows(full)) == {rows_of(full, number) for number in left}


def test_reading_rows_keeps_them_for_the_next_ten_minutes(full):
    read = full.get_representation(key_of(0))
    storage.reclaim(full, 0)
    assert same_representation(read, representation(0, n=SIZES[0])) and all_rows(full) == [rows_of(full, 0)]


def test_damaged_files_go_at_any_budget(full):
    damaged(full.root, f"representations/{key_of(1).digest}/{ROWS}", lambda content: flipped(content, 0.5))
    _, said = reported(lambda: full.get_representation(key_of(1)))
    lost = storage.usage(full)["damaged"]
    assert len(said) == 1 and lost > 0 and storage.reclaim(full, 1e12) == lost
    assert storage.usage(full)["damaged"] == 0 and len(all_rows(full)) == 3


def test_what_is_let_go_without_warning_comes_back_when_it_is_put_again(full):
    storage.reclaim(full, 0)
    facts = full.representation_facts(key_of(2))
    assert full.get_representation(key_of(2)) is None and facts["n"] == 30
    full.put_representation(key_of(2), representation(2, n=30))
    assert same_representation(full.get_representation(key_of(2)), representation(2, n=30))
    assert full.representation_facts(key_of(2)) == facts


def test_a_disk_that_is_full_when_rows_are_put_again_does_not_cost_the_loss_that_was_known(full, monkeypatch):
    storage.reclaim(full, 0)
    facts = full.representation_facts(key_of(0))
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", failing(os.fsync, 0))
        with pytest.raises(OSError, match="No space left"):
            full.put_representation(key_of(0), representation(0, n=SIZES[0]))
    assert full.representation_facts(key_of(0)) == facts is not None


def test_what_a_killed_writer_left_behind_goes_once_nobody_can_be_writing_it(full):
    """A process that is killed in the midst of its rows leaves them under their temporary name."""
    left = full.root / "representations" / f".{KEY.digest}.0123" / f".{ROWS}.4567"
    left.parent.mkdir()
    left.write_bytes(bytes(5000))
    storage.reclaim(full, 1e12)
    assert left.exists() and len(all_rows(full)) == 4
    for path in (left, left.parent):
        aged(path, OLD)
    assert storage.reclaim(full, 1e12) == 5000 and not left.exists() and len(all_rows(full)) == 4


# --- what the pages read, and what a sweep does ---


def test_pages_read_the_same_before_and_after_the_rows_have_gone(swept, run, protocol):
    def read(store):
        return (compute.records(store, run), compute.losses(store, run, protocol),
                compute.missing(store, [run], protocol, SINGLE), compute.sites(store, [run], protocol))
    before = read(Store(swept.root))
    assert storage.reclaim(swept, 0) > 0 and all_rows(swept) == []
    assert read(Store(swept.root)) == before and len(before[0]) == 3 * 4 * len(SINGLE) and before[2] == 0


def test_measures_that_are_stored_need_no_forward_pass_without_their_rows(swept, run, protocol, passes):
    storage.reclaim(swept, 0)
    assert compute.sweep(swept, [run], protocol, SINGLE) == 0 and passes == [] and all_rows(swept) == []


@pytest.mark.parametrize("left", [0, 1, 3])
def test_a_new_measure_costs_one_forward_pass_for_each_checkpoint_that_lost_its_rows(swept, run, protocol, passes,
                                                                                     left):
    new = {"alpha_weighted_least_squares": {"first_rank": 1, "last_rank": 10}}
    before, facts = contents(swept.root), compute.losses(swept, run, protocol)
    keys = [protocol.key(checkpoint) for checkpoint in run.checkpoints]
    for key in keys[:left]:
        aged(swept.root / "representations" / key.digest / ROWS, 0)
    storage.reclaim(swept, 0)
    assert len(all_rows(swept)) == left
    assert compute.sweep(swept, [run], protocol, [get("alpha_weighted_least_squares")], new) == 3
    assert len(passes) == 3 - left and compute.losses(swept, run, protocol) == facts
    assert all(swept.get_representation(key) is not None for key in keys)
    after = contents(swept.root)
    assert {path: sha for path, (sha, _) in after.items() if path in before} == {p: s for p, (s, _) in before.items()}
    assert compute.sweep(swept, [run], protocol, SINGLE, new) == 0 and len(passes) == 3 - left


def test_a_comparison_of_layers_makes_the_rows_it_needs_again(swept, run, protocol, passes):
    last = run.checkpoints[-1]
    items = [(last, site) for site in compute.sites_of(swept, last, protocol)]
    storage.reclaim(swept, 0)
    found = similarity.compare(swept, items, items, get("linear_cka_debiased"), protocol)
    assert len(passes) == 1 and np.diag(found.values) == pytest.approx(np.ones(4)) and len(all_rows(swept)) == 1


# --- the command ---


def test_the_command_gives_the_documented_object_and_changes_nothing(cli, full):
    before = contents(full.root)
    code, out, err = cli("storage", "--json")
    assert (code, err) == (0, "") and json.loads(out) == {"folder": str(full.root), "bytes": storage.usage(full)}
    assert contents(full.root) == before and json.loads(out)["bytes"]["representations"] > 0


def test_the_command_lists_every_kind_with_what_it_is(cli, full):
    code, out, _ = cli("storage")
    assert code == 0 and out.count("\n") == len(storage.KINDS) + 1 and str(full.root) in out.splitlines()[-1]
    assert all(kind in line and meaning in line
               for (kind, meaning), line in zip(storage.KINDS.items(), out.splitlines(), strict=False))


@pytest.mark.parametrize("keep", ["0", "2e-6", "4e-6", "5e-6", "1", "inf"])
def test_keep_is_a_number_of_gigabytes(cli, full, keep):
    expected, before = expected_left(full, float(keep) * 10**9), storage.usage(full)["representations"]
    code, out, err = cli("storage", "--keep", keep, "--json")
    assert code == 0 and "came free" in err and json.loads(out)["bytes"] == storage.usage(full)
    assert [number for number in range(len(SIZES)) if rows_of(full, number).exists()] == expected
    assert (before > storage.usage(full)["representations"]) == (keep.endswith("e-6") or keep == "0")


@pytest.mark.parametrize("keep", ["-1", "-0.001", "nan", "-inf", "x", ""])
def test_a_room_to_keep_that_is_none_is_refused_and_nothing_goes(cli, full, keep):
    before = contents(full.root)
    code, out, err = cli("storage", f"--keep={keep}")
    assert (code, out, err[:7], err.count("\n")) == (2, "", "error: ", 1) and "unexpected" not in err
    assert contents(full.root) == before
