"""Intervals of stored representations: what is left out is what the measure would see without those documents."""

from dataclasses import replace

import numpy as np
import pytest

from analysis import registry
from analysis.evaluate import evaluate
from analysis.inference.jackknife import interval, pairs_of
from analysis.keys import RepresentationKey, ResultKey
from analysis.results import Replicates
from analysis.store import Representation
from analysis.textrows import TextRows

KEY = RepresentationKey("f" * 64, "probe@0", "every-1")
RESAMPLED = [m for m in registry.of_kind(arity=1, returns="scalar") if m.has_interval and not m.spread_of]
SETTINGS = {"first_rank": 2, "last_rank": 12, "removed": 2, "head": 2}


def represent(rows, documents):
    """Each document is one text of several tokens."""
    return Representation(rows={"final": rows}, document_ids=tuple(documents), facts={},
                          row_ids=tuple(f"{name}@{number}" for number, name in enumerate(documents)))


def direct(measure, rows, documents, kept, **params):
    """The measure of some rows, without anything that is shared or stored."""
    if measure.takes == "texts":
        return measure(TextRows.of(rows, represent(rows, documents).row_ids, documents).kept(kept), **params).value
    return measure(rows[kept], **params).value


def result_key(name, **params):
    measure = registry.get(name)
    return ResultKey(KEY, "final", name, measure.version, tuple(sorted(measure.settings(params).items())))


@pytest.mark.parametrize("measure", RESAMPLED, ids=lambda measure: measure.name)
def test_the_interval_is_the_jackknife_of_the_measure_on_the_rows_themselves(measure):
    rng = np.random.default_rng(3)
    documents = np.repeat([f"d{i}" for i in range(10)], [5, 9, 7, 12, 6, 8, 11, 5, 9, 10])
    rows = rng.standard_normal((len(documents), 20)) * np.arange(1, 21) ** -0.7 + 2.0
    params = {param.name: SETTINGS[param.name] for param in measure.params if param.name in SETTINGS}
    (stored,) = evaluate(represent(rows, documents), "final", [result_key(measure.name, **params)])
    names = np.array(sorted(set(documents)))

    def without(*groups):
        return direct(measure, rows, documents, ~np.isin(documents, names[list(groups)]), **params)
    pairs = np.array([without(*pair) for pair in pairs_of(10)]) if measure.leaves_two_out else None
    replicates = Replicates(np.array([without(group) for group in range(10)]),
                            np.bincount(np.searchsorted(names, documents)), pairs)
    assert (stored.result.low, stored.result.high) == pytest.approx(interval(without(), replicates), rel=1e-8)


@pytest.mark.parametrize("name", [m.name for m in RESAMPLED if m.takes != "texts" and m.name != "mean_cosine"
                                  and not {"first_rank", "removed"} & {param.name for param in m.params}])
def test_a_measure_undefined_without_one_document_has_a_value_and_no_interval(name):
    """All documents but one end in the same token: without it nothing varies, and rounding is not variance."""
    rng = np.random.default_rng(11)
    rows = np.tile(rng.standard_normal(64), (100, 1))
    rows[90:] = rng.standard_normal((10, 64))
    if name == "rankme_singular_values":
        rows -= rows[0]  # uncentred: defined on equal rows, except on rows of zeros
    (stored,) = evaluate(represent(rows, np.repeat([f"d{i}" for i in range(10)], 10)), "final", [result_key(name)])
    assert stored.result.defined
    assert stored.result.low is None


def test_too_few_documents_give_a_value_without_an_interval():
    rows = np.random.default_rng(0).standard_normal((60, 8))
    (stored,) = evaluate(represent(rows, ["a", "b", "c"] * 20), "final", [result_key("stable_rank")])
    assert stored.result.defined
    assert stored.result.low is None


def test_replicates_are_the_measure_without_each_group_of_documents():
    rng = np.random.default_rng(5)
    documents = np.repeat([f"d{i}" for i in range(10)], 9)
    rows = rng.standard_normal((90, 12))
    (stored,) = evaluate(represent(rows, documents), "final", [result_key("stable_rank")])
    measure = registry.get("stable_rank")
    assert stored.result.replicates.sizes.tolist() == [9] * 10
    assert stored.result.replicates.values == pytest.approx(
        [measure(rows[documents != f"d{i}"]).value for i in range(10)], rel=1e-9)
    assert stored.result.replicates.without_pairs is None


def test_replicates_of_a_measure_that_asks_for_it_are_also_without_pairs_of_groups():
    documents = np.repeat([f"d{i}" for i in range(9)], 9)
    rows = np.random.default_rng(5).standard_normal((81, 12))
    params = {"first_rank": 2, "last_rank": 9}
    stored = evaluate(represent(rows, documents), "final", [result_key("alpha_weighted_least_squares", **params),
                                                            result_key("stable_rank")])[0]
    assert stored.result.replicates.without_pairs == pytest.approx(
        [registry.get("alpha_weighted_least_squares")(rows[~np.isin(documents, [f"d{i}", f"d{i + 1}"])], **params).value
         for i in (0, 2, 4, 6)], rel=1e-9)


def test_a_measure_undefined_without_two_groups_has_no_interval():
    """8 documents of 2 rows have 15 positive eigenvalues; 13 are left without one, and 11 without two."""
    rows = np.random.default_rng(5).standard_normal((16, 40))
    key = result_key("alpha_weighted_least_squares", first_rank=2, last_rank=13)
    (stored,) = evaluate(represent(rows, np.repeat([f"d{i}" for i in range(8)], 2)), "final", [key])
    assert stored.result.defined and stored.result.low is None and stored.result.replicates is None


@pytest.mark.parametrize("relative", [True, False])
def test_a_corrected_measure_has_the_spread_of_its_plug_in(monkeypatch, relative):
    plain = registry.get("stable_rank")
    corrected = replace(plain, name="corrected", fn=lambda x: 2 * plain.fn(x), spread_of="stable_rank",
                        relative_spread=relative)
    monkeypatch.setattr(registry, "get", lambda name, get=registry.get: corrected if name == "corrected" else get(name))
    rows, documents = np.random.default_rng(6).standard_normal((90, 12)), np.repeat([f"d{i}" for i in range(10)], 9)
    of, own = evaluate(represent(rows, documents), "final", [result_key("stable_rank"), result_key("corrected")])
    width = (of.result.high - of.result.low) * (2 if relative else 1)
    assert own.result.value == pytest.approx(2 * of.result.value)
    assert own.result.high - own.result.low == pytest.approx(width)
    assert (own.result.low + own.result.high) / 2 == pytest.approx(own.result.value)
    assert own.result.replicates is None, "its changes have noise of their own"
