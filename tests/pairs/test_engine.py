"""All pairs at once gives what every pair by itself gives: values, values without documents, values after shuffles."""

from dataclasses import replace

import numpy as np
import pytest

from analysis import registry
from analysis.inference.jackknife import document_groups, jackknife_interval
from analysis.measures._gram import centred_gram
from analysis.pairs import cells, gram, items, loop
from analysis.pairs.engine import all_pairs
from analysis.pairs.shuffles import orders, shuffled_cosines
from analysis.pairs.work import Work
from analysis.store import Store
from tests.store.test_store import matrix_key

N, DRAWS = 120, 5
WAYS = {"linear_cka_debiased": gram, "linear_cka_biased": gram, "rbf_cka_debiased": gram,
        "distance_correlation_biased": gram, "rsa_euclidean_spearman": items, "procrustes_nbs": loop,
        "mutual_knn_cosine": loop}


def documents() -> tuple[str, ...]:
    """Twenty-odd documents of unlike lengths, whose rows do not stand together."""
    return tuple(f"d{number}" for number in np.random.default_rng(5).integers(0, 20, N))


def sides() -> tuple[list[np.ndarray], list[np.ndarray]]:
    rng = np.random.default_rng(0)
    rows = [(rng.standard_normal((N, d)) * np.arange(1, d + 1)**-0.5 + 3).astype(np.float32) for d in (8, 30, 200)]
    return rows, [rows[0] @ rng.standard_normal((8, 12)).astype(np.float32) + 1, rng.standard_normal((N, 5))]


def loads(arrays):
    return [lambda array=array: array for array in arrays]


def work(name: str, **changes) -> Work:
    rows, columns = sides()
    measure = registry.get(name)
    given = {"rows": loads(rows), "columns": loads(columns), "measure": measure, "settings": measure.settings(),
             "documents": documents(), "draws": DRAWS} | changes
    return Work(**given)


def one_by_one(name: str, change=lambda x, y: (x, y)) -> np.ndarray:
    rows, columns = sides()
    return np.array([[registry.get(name)(*change(x, y)).value for y in columns] for x in rows])


@pytest.mark.parametrize("name", WAYS)
def test_every_way_gives_the_measure_of_every_pair(name):
    found = all_pairs(work(name))
    np.testing.assert_allclose(found.values, one_by_one(name), rtol=0, atol=1e-12)
    np.testing.assert_allclose(WAYS[name].values(work(name)).values, found.values, rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", [name for name in WAYS if registry.get(name).chance])
def test_chance_levels_of_all_pairs_are_those_of_every_pair(name):
    rows, columns = sides()
    found = all_pairs(work(name, draws=0))
    expected = [[registry.get(name)(x, y).chance for y in columns] for x in rows]
    np.testing.assert_allclose(found.chance, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", [name for name in WAYS if registry.get(name).has_interval])
def test_replicates_are_the_measure_without_each_group_of_documents(name):
    if name.startswith("rbf"):
        pytest.skip("its bandwidth is that of all rows; the next test says what its replicates are")
    found, group = all_pairs(work(name, draws=0)), document_groups(documents())
    assert found.sizes.tolist() == np.bincount(group).tolist()
    for number in (0, 7, len(found.sizes) - 1):
        kept = group != number
        np.testing.assert_allclose(found.replicates[number], one_by_one(name, lambda x, y, k=kept: (x[k], y[k])),
                                   rtol=0, atol=1e-10)


def test_replicates_of_a_kernel_with_a_bandwidth_keep_the_bandwidth_of_all_rows():
    found, group = all_pairs(work("rbf_cka_debiased", draws=0)), document_groups(documents())
    rows, columns = sides()
    kernel, settings = registry.get("rbf_cka_debiased").kernel, registry.get("rbf_cka_debiased").settings()
    kept = np.flatnonzero(group != 3)

    def matrix(x):
        whole = kernel.rows(kernel.prepare(np.asarray(x, float), **settings), slice(None))[np.ix_(kept, kept)]
        return centred_gram(replace(kernel, prepare=lambda x: x, rows=lambda x, which: x[which]), whole).ravel()

    left, right = matrix(rows[1]), matrix(columns[0])
    assert found.replicates[3, 1, 0] == pytest.approx(left @ right / np.linalg.norm(left) / np.linalg.norm(right))


@pytest.mark.parametrize("name", WAYS)
def test_the_null_is_the_measure_after_each_shuffle_of_the_documents(name):
    found, shuffled = all_pairs(work(name)), orders(documents(), DRAWS)
    assert found.null.shape == (DRAWS, 3, 2)
    for draw, order in enumerate(shuffled):
        np.testing.assert_allclose(found.null[draw], one_by_one(name, lambda x, y, o=order: (x, y[o])), atol=1e-6)


def test_a_shuffle_is_an_order_of_all_rows_that_keeps_the_documents_of_one_length_whole():
    ids = [f"d{row // 4}" for row in range(40)]
    for order in orders(ids, 20):
        assert sorted(order) == list(range(40))
        blocks = order.reshape(10, 4)
        assert (np.diff(blocks, axis=1) == 1).all() and (blocks[:, 0] % 4 == 0).all()
    assert len({tuple(order) for order in orders(ids, 20)}) == 20
    assert all(np.array_equal(a, b) for a, b in zip(orders(ids, 3), orders(ids, 3), strict=True))


def test_documents_whose_rows_do_not_stand_together_are_moved_together():
    ids = [f"d{row % 10}" for row in range(40)]
    number = np.arange(40) % 10
    for order in orders(ids, 5):
        for document in range(10):
            assert len(set(number[order[number == document]])) == 1


def test_too_few_documents_have_no_null_and_no_interval():
    few = all_pairs(work("linear_cka_debiased", documents=tuple(f"d{row % 7}" for row in range(N))))
    assert few.null is None and few.replicates is None and np.isfinite(few.values).all()
    assert cells.interval(few) is None and cells.verdict(few, registry.get("linear_cka_debiased")) is None


@pytest.mark.parametrize("name", ["linear_cka_debiased", "distance_correlation_biased", "rsa_euclidean_spearman"])
@pytest.mark.parametrize("budget", [1, 400_000, 2_000_000])
def test_a_small_budget_changes_nothing_but_the_number_of_parts(name, budget):
    small, large = all_pairs(work(name, budget=budget)), all_pairs(work(name))
    for part in ("values", "replicates", "null"):
        np.testing.assert_allclose(getattr(small, part), getattr(large, part), rtol=0, atol=1e-7)


@pytest.mark.parametrize("name", WAYS)
def test_one_side_with_itself_is_symmetric_where_the_measure_is_and_has_ones_on_its_diagonal(name):
    same = loads(sides()[0])
    found = all_pairs(work(name, rows=same, columns=same))
    np.testing.assert_allclose(found.values, found.values.T, atol=1e-12)
    np.testing.assert_allclose(np.diag(found.values), 1.0, atol=1e-12)
    again = all_pairs(work(name, rows=same, columns=list(same)))
    np.testing.assert_allclose(found.values, again.values, atol=1e-12)


@pytest.mark.parametrize("name", ["linear_cka_debiased", "rsa_euclidean_pearson", "procrustes_nbs"])
def test_an_item_without_any_spread_is_undefined_with_the_reason_and_spoils_no_other(name):
    rows, columns = sides()
    found = all_pairs(work(name, rows=loads([np.ones((N, 3)), rows[1]])))
    assert np.isnan(found.values[0]).all() and found.reasons
    np.testing.assert_allclose(found.values[1], [registry.get(name)(rows[1], y).value for y in columns], atol=1e-12)


class Memory:
    """Keeps what is saved, and can stop the work at once after that."""

    def __init__(self, stops: bool = False):
        self.stops, self.tensors = stops, None

    @classmethod
    def of(cls, tensors):
        memory = cls()
        memory.tensors = tensors
        return memory

    def load(self):
        return self.tensors

    def save(self, tensors):
        self.tensors = {name: array.copy() for name, array in tensors.items()}
        if self.stops:
            raise KeyboardInterrupt


@pytest.mark.parametrize(("name", "way"), [("linear_cka_biased", gram), ("procrustes_nbs", loop)])
def test_interrupted_work_goes_on_from_what_was_saved(monkeypatch, name, way):
    monkeypatch.setattr(way, "SAVE_EVERY_S", 0.0)
    memory = Memory(stops=True)
    with pytest.raises(KeyboardInterrupt):
        way.values(work(name, saved=memory, budget=400_000))
    memory.stops, done = False, []
    found = way.values(work(name, saved=memory, budget=400_000,
                            report=lambda done_, total, message: done.append(done_ / total)))
    assert done[0] > 0, "what was finished is not done again"
    whole = way.values(work(name, budget=400_000))
    np.testing.assert_allclose(found.values, whole.values, rtol=0, atol=1e-14)
    np.testing.assert_allclose(found.replicates, whole.replicates, rtol=0, atol=1e-14)


def test_sums_over_stripes_that_were_cut_otherwise_are_not_taken_up(monkeypatch):
    monkeypatch.setattr(gram, "SAVE_EVERY_S", 0.0)
    memory = Memory(stops=True)
    with pytest.raises(KeyboardInterrupt):
        gram.values(work("linear_cka_biased", saved=memory, budget=400_000))
    found = gram.values(work("linear_cka_biased", saved=Memory.of(memory.tensors), budget=800_000))
    np.testing.assert_allclose(found.values, one_by_one("linear_cka_biased"), rtol=0, atol=1e-12)


def test_what_another_comparison_saved_is_not_taken_up():
    memory = Memory()
    memory.tensors = {"stripes": np.array([1, 1]), "cross": np.ones((2, 2, 2))}
    found = gram.values(work("linear_cka_biased", saved=memory))
    np.testing.assert_allclose(found.values, one_by_one("linear_cka_biased"), atol=1e-12)


def test_the_store_keeps_unfinished_work_until_the_matrix_is_there(tmp_path):
    store = Store(tmp_path)
    unfinished = store.unfinished(matrix_key())
    assert unfinished.load() is None
    unfinished.save({"table": np.arange(3.0), "pairs": np.array(1)})
    unfinished.save({"table": np.arange(4.0), "pairs": np.array(2)})
    assert unfinished.load()["table"].tolist() == [0, 1, 2, 3] and unfinished.load()["pairs"] == 2
    assert len(list((tmp_path / "matrices").iterdir())) == 2
    store.put_matrix(matrix_key(), all_pairs(work("linear_cka_debiased")))
    assert unfinished.load() is None
    back = store.get_matrix(matrix_key())
    assert back.null.shape == (DRAWS, 3, 2) and back.replicates.shape == (len(back.sizes), 3, 2)


def test_the_interval_of_a_cell_is_the_jackknife_of_its_replicates():
    found = all_pairs(work("linear_cka_debiased", draws=0))
    low, high = cells.interval(found)
    for cell in ((0, 0), (2, 1)):
        assert (low[cell], high[cell]) == pytest.approx(jackknife_interval(
            found.values[cell], lambda group, cell=cell: found.replicates[group][cell], found.sizes))


def test_a_verdict_counts_the_shuffles_that_are_as_much_alike():
    measure = registry.get("linear_cka_debiased")
    null = np.linspace(0, 0.98, 99)[:, None, None] * np.ones((1, 1, 2))
    found = cells.verdict(replace(all_pairs(work("linear_cka_debiased")), values=np.array([[0.985, 0.5]]), null=null),
                          measure)
    assert found.p[0].tolist() == [1 / 100, (1 + np.sum(null[:, 0, 0] >= 0.5)) / 100]
    assert found.threshold[0, 0] == pytest.approx(np.sort([*null[:, 0, 0], 0.985])[94])
    assert found.calibrated[0, 0] == pytest.approx((0.985 - found.threshold[0, 0]) / (1 - found.threshold[0, 0]))
    assert found.calibrated[0, 1] == 0


def test_a_distance_is_judged_by_how_small_it_is():
    found = all_pairs(work("angular_shape_distance", draws=39))
    said = cells.verdict(found, registry.get("angular_shape_distance"))
    assert said.p[0, 0] == 1 / 40 and said.threshold[0, 0] > found.values[0, 0] and 0 < said.calibrated[0, 0] < 1


def test_the_p_value_for_any_cell_pays_for_the_number_of_cells():
    rng = np.random.default_rng(1)
    rows = loads([rng.standard_normal((N, 6)) for _ in range(6)])
    columns = loads([rng.standard_normal((N, 6)) for _ in range(6)])
    ids = tuple(map(str, range(N)))
    found = all_pairs(work("linear_cka_debiased", rows=rows, columns=columns, draws=199, documents=ids))
    said = cells.verdict(found, registry.get("linear_cka_debiased"))
    assert (said.p_any >= said.p - 0.02).all() and said.p.min() < 0.1 < said.p_any.min()


def test_rows_beyond_the_limit_have_no_null(monkeypatch):
    monkeypatch.setattr("analysis.pairs.shuffles.MOST_ROWS", N - 1)
    assert shuffled_cosines(work("linear_cka_debiased"), lambda x: x @ x.T) is None
