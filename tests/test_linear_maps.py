"""Closed-form maps: planted answers, other libraries, identities, and how few rows make them lie."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.linalg import orthogonal_procrustes, sqrtm
from sklearn.linear_model import LinearRegression, Ridge

from analysis import linear_maps
from analysis.cross_moments import CrossMoments
from analysis.errors import Undefined
from analysis.linear_maps import LinearMap
from tests.synthetic import generic, generic_pair, orthogonal, rotated

FITTED: dict[str, Callable[[CrossMoments], LinearMap]] = {
    "affine": linear_maps.affine, "ridge": lambda train: linear_maps.ridge(train, 5.0),
    "reduced rank": lambda train: linear_maps.reduced_rank(train, 2), "orthogonal": linear_maps.orthogonal,
    "orthogonal, scaled": lambda train: linear_maps.orthogonal(train, scaled=True), "mean": linear_maps.mean,
}
every_fit = pytest.mark.parametrize("name", FITTED)


def halves(n: int, p: int, q: int, seed: int) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Rows to fit on and rows of other documents, of one population."""
    x, y = generic_pair(2 * n, p, q, np.random.default_rng(seed))
    return (x[:n], y[:n]), (x[n:], y[n:])


def r2_of_rows(fitted: LinearMap, x: np.ndarray, y: np.ndarray) -> float:
    return float(1 - np.sum((fitted(x) - y)**2) / np.sum((y - y.mean(axis=0))**2))


def planted(n: int, p: int, q: int, rng: np.random.Generator, *, rank: int, noise: float) -> tuple[np.ndarray, ...]:
    x = generic(n, p, rng)
    weight = rng.standard_normal((p, rank)) @ rng.standard_normal((rank, q))
    bias = rng.standard_normal(q)
    return x, x @ weight + bias + noise * rng.standard_normal((n, q)), weight, bias


def test_a_planted_affine_map_is_found_exactly_and_explains_all_while_cka_does_not():
    x, y, weight, bias = planted(90, 12, 7, np.random.default_rng(0), rank=7, noise=0.0)
    moments = CrossMoments.of(x, y)
    fitted = linear_maps.affine(moments)
    np.testing.assert_allclose(fitted.weight, weight, atol=1e-10)
    np.testing.assert_allclose(fitted.bias, bias, atol=1e-10)
    assert linear_maps.held_out_r2(fitted, moments) == pytest.approx(1.0, abs=1e-12)
    assert moments.linear_cka_biased() < 0.95
    assert (fitted.kind, fitted.rank, fitted.penalty) == ("affine", 7, 0.0)


def test_a_planted_map_under_noise_is_found_to_its_standard_error():
    x, y, weight, bias = planted(4000, 6, 4, np.random.default_rng(1), rank=4, noise=0.3)
    moments = CrossMoments.of(x, y)
    fitted = linear_maps.affine(moments)
    standard_error = 0.3 * np.sqrt(np.diag(np.linalg.inv(moments.scatter_xx)))
    assert np.abs((fitted.weight - weight) / standard_error[:, None]).max() < 4
    np.testing.assert_allclose(fitted.bias, bias, atol=0.1)


@pytest.mark.parametrize("shape", [(60, 9, 5), (60, 5, 9), (20, 30, 4)])
def test_least_squares_agrees_with_numpy_also_with_fewer_rows_than_columns(shape):
    x, y = generic_pair(*shape, np.random.default_rng(2))
    fitted = linear_maps.affine(CrossMoments.of(x, y))
    expected = np.linalg.lstsq(x - x.mean(axis=0), y - y.mean(axis=0), rcond=None)[0]
    np.testing.assert_allclose(fitted.weight, expected, atol=1e-9 * np.abs(expected).max())
    np.testing.assert_allclose(fitted.bias, y.mean(axis=0) - x.mean(axis=0) @ expected, atol=1e-9)


def test_repeated_and_constant_columns_share_the_weight_of_least_norm():
    rng = np.random.default_rng(3)
    x, y = generic_pair(80, 5, 7, rng)
    wide = np.column_stack([x, x[:, 2], np.full(80, 3.0), x @ rng.standard_normal(5)])
    fitted = linear_maps.affine(CrossMoments.of(wide, y))
    expected = np.linalg.lstsq(wide - wide.mean(axis=0), y - y.mean(axis=0), rcond=1e-10)[0]
    np.testing.assert_allclose(fitted.weight, expected, atol=1e-9)
    np.testing.assert_allclose(fitted.weight[2], fitted.weight[5], atol=1e-9)
    np.testing.assert_allclose(fitted.weight[6], 0.0, atol=1e-12)
    assert fitted.rank == 5


def test_least_squares_agrees_with_scikit_learn_on_its_own_rows_and_on_others():
    fit, other = halves(100, 8, 6, seed=4)
    train, held_out = CrossMoments.of(*fit), CrossMoments.of(*other)
    peer, fitted = LinearRegression().fit(*fit), linear_maps.affine(train)
    np.testing.assert_allclose(fitted(other[0]), peer.predict(other[0]), atol=1e-10)
    np.testing.assert_allclose(fitted.bias, peer.intercept_, atol=1e-10)
    assert linear_maps.held_out_r2(fitted, train) == pytest.approx(r2_of_rows(fitted, *fit), abs=1e-12)
    residual = np.sum((peer.predict(other[0]) - other[1])**2)
    assert linear_maps.held_out_r2(fitted, held_out) \
        == pytest.approx(1 - residual / np.sum((other[1] - other[1].mean(axis=0))**2), abs=1e-12)


@pytest.mark.parametrize("penalty", [1e-3, 1.0, 100.0])
@pytest.mark.parametrize("p", [8, 40])
def test_ridge_agrees_with_scikit_learn(penalty, p):
    x, y = generic_pair(30, p, 6, np.random.default_rng(5))
    fitted, peer = linear_maps.ridge(CrossMoments.of(x, y), penalty), Ridge(alpha=penalty).fit(x, y)
    np.testing.assert_allclose(fitted.weight, peer.coef_.T, atol=1e-9)
    np.testing.assert_allclose(fitted.bias, peer.intercept_, atol=1e-9)
    assert (fitted.kind, fitted.penalty) == ("ridge", penalty)


def test_ridge_without_a_penalty_is_least_squares_and_with_a_huge_one_the_mean():
    train = CrossMoments.of(*generic_pair(60, 7, 5, np.random.default_rng(6)))
    np.testing.assert_array_equal(linear_maps.ridge(train, 0.0).weight, linear_maps.affine(train).weight)
    np.testing.assert_allclose(linear_maps.ridge(train, 1e15).bias, linear_maps.mean(train).bias, atol=1e-9)


def test_the_ridge_curve_holds_the_held_out_r2_of_each_penalty():
    fit, other = halves(25, 30, 6, seed=7)
    train, held_out = CrossMoments.of(*fit), CrossMoments.of(other[0] + 0.5, other[1] - 0.5)
    curve = linear_maps.ridge_curve(train, held_out, (0.0, 1e-3, 0.1, 1.0, 50.0))
    np.testing.assert_allclose(curve.penalties, curve.relative * np.trace(train.scatter_xx) / 30, rtol=1e-12)
    for penalty, r2 in zip(curve.penalties, curve.held_out_r2, strict=True):
        assert r2 == pytest.approx(linear_maps.held_out_r2(linear_maps.ridge(train, penalty), held_out), abs=1e-9)


def test_ridge_chosen_on_other_documents_beats_least_squares_on_a_third_set():
    rng = np.random.default_rng(8)
    x, y, *_ = planted(300, 60, 40, rng, rank=40, noise=12.0)
    train, choose_on, report_on = (CrossMoments.of(x[rows], y[rows])
                                   for rows in (slice(0, 80), slice(80, 180), slice(180, 300)))
    chosen, curve = linear_maps.choose_ridge(train, choose_on), linear_maps.ridge_curve(train, choose_on)
    assert chosen.penalty == curve.penalties[np.argmax(curve.held_out_r2)]
    assert curve.penalties[0] < chosen.penalty < curve.penalties[-1]
    unpenalised = linear_maps.affine(train)
    assert linear_maps.held_out_r2(chosen, report_on) > linear_maps.held_out_r2(unpenalised, report_on) + 0.2


@pytest.mark.parametrize("shape", [(60, 9, 5), (60, 5, 9), (12, 30, 20)])
def test_the_training_residual_of_each_rank_is_the_total_less_the_top_eigenvalues(shape):
    """similarity.md 6 (h)."""
    train = CrossMoments.of(*generic_pair(*shape, np.random.default_rng(9)))
    explained = train.scatter_xy.T @ np.linalg.pinv(train.scatter_xx, rcond=1e-12, hermitian=True) @ train.scatter_xy
    eigenvalues = np.linalg.eigvalsh(explained)[::-1]
    curve, total = linear_maps.rank_curve(train, train), np.trace(train.scatter_yy)
    for rank in curve.ranks:
        residual = total - eigenvalues[:rank].sum()
        assert curve.train_residual[rank] == pytest.approx(residual, abs=1e-9 * total)
        assert curve.train_r2[rank] == pytest.approx(1 - residual / total, abs=1e-9)
    np.testing.assert_array_equal(curve.held_out_r2, curve.train_r2)
    assert (np.diff(curve.train_residual) < 1e-12 * total).all(), "a higher rank never fits the training rows worse"
    assert curve.ranks[-1] == min(shape[1], shape[2], shape[0] - 1)


@pytest.mark.parametrize("penalty", [0.0, 3.0])
@pytest.mark.parametrize(("p", "q"), [(9, 5), (5, 9)])
def test_the_rank_curve_holds_the_fit_of_the_map_of_each_rank_on_rows_of_other_documents(p, q, penalty):
    fit, other = halves(50, p, q, seed=10)
    other = other[0] + 0.3, other[1] - 0.2
    train, held_out = CrossMoments.of(*fit), CrossMoments.of(*other)
    curve = linear_maps.rank_curve(train, held_out, penalty)
    for rank in curve.ranks:
        fitted = linear_maps.reduced_rank(train, rank, penalty)
        assert np.linalg.matrix_rank(fitted.weight) == fitted.rank == rank
        assert curve.held_out_r2[rank] == pytest.approx(r2_of_rows(fitted, *other), abs=1e-10)
        assert curve.train_residual[rank] == pytest.approx(np.sum((fitted(fit[0]) - fit[1])**2), rel=1e-9)
    whole = linear_maps.ridge(train, penalty)
    np.testing.assert_allclose(fitted.weight, whole.weight, atol=1e-9)


def test_no_other_map_of_the_same_rank_fits_better():
    rng = np.random.default_rng(11)
    train = CrossMoments.of(*generic_pair(60, 8, 6, rng))
    best = linear_maps.rank_curve(train, train).train_r2[3]
    u, d, vt = np.linalg.svd(linear_maps.affine(train).weight)
    left = np.linalg.svd(linear_maps.reduced_rank(train, 3).weight)[0]
    core = left[:, :3].T @ linear_maps.reduced_rank(train, 3).weight
    nearby = [(left[:, :3] + 1e-3 * rng.standard_normal((8, 3))) @ (core + 1e-3 * rng.standard_normal((3, 6)))
              for _ in range(5)]
    for weight in [(u[:, :3] * d[:3]) @ vt[:3], *nearby]:
        assert np.linalg.matrix_rank(weight) == 3
        fitted = LinearMap(weight, train.mean_y - train.mean_x @ weight, "other", 3)
        assert linear_maps.held_out_r2(fitted, train) < best


def test_the_rank_of_a_planted_map_is_found_where_the_curve_levels_off():
    x, y, *_ = planted(3000, 20, 15, np.random.default_rng(12), rank=4, noise=0.05)
    train, held_out = CrossMoments.of(x[:2000], y[:2000]), CrossMoments.of(x[2000:], y[2000:])
    curve = linear_maps.rank_curve(train, held_out)
    assert linear_maps.rank_at(curve, share=0.9999) == 4
    assert linear_maps.rank_at(curve) <= 4
    assert linear_maps.rank_at(curve, share=0.0) == int(np.argmax(curve.held_out_r2 >= 0))


def test_the_rank_at_a_share_is_the_first_that_reaches_it():
    curve = linear_maps.RankCurve(np.arange(5), np.zeros(5), np.zeros(5), np.array([-0.01, 0.5, 0.75, 0.8, 0.6]))
    assert [linear_maps.rank_at(curve, share) for share in (0.5, 0.95, 0.93, 1.0)] == [1, 3, 2, 3]


def test_a_map_that_never_beats_the_mean_recovers_at_no_rank():
    rng = np.random.default_rng(13)
    train, held_out = (CrossMoments.of(rng.standard_normal((40, 20)), rng.standard_normal((40, 5))) for _ in range(2))
    with pytest.raises(Undefined, match="no map of any rank"):
        linear_maps.rank_at(linear_maps.rank_curve(train, held_out))


def test_a_rotation_agrees_with_scipy_and_its_residual_with_the_nuclear_norm():
    x, y = generic_pair(70, 6, 6, np.random.default_rng(14))
    train = CrossMoments.of(x, y)
    fitted = linear_maps.orthogonal(train)
    xc, yc = x - x.mean(axis=0), y - y.mean(axis=0)
    peer, nuclear = orthogonal_procrustes(xc, yc)
    np.testing.assert_allclose(fitted.weight, peer, atol=1e-10)
    np.testing.assert_allclose(fitted.weight.T @ fitted.weight, np.eye(6), atol=1e-12)
    residual = np.sum((fitted(x) - y)**2)
    assert residual == pytest.approx(np.sum(xc**2) + np.sum(yc**2) - 2 * nuclear, rel=1e-11)
    scaled = linear_maps.orthogonal(train, scaled=True)
    np.testing.assert_allclose(scaled.weight, peer * nuclear / np.sum(xc**2), atol=1e-10)
    assert np.sum((scaled(x) - y)**2) == pytest.approx(np.sum(yc**2) - nuclear**2 / np.sum(xc**2), rel=1e-11)


def test_a_rotated_scaled_and_shifted_copy_is_found_by_a_scaled_rotation_alone():
    rng = np.random.default_rng(15)
    x = generic(60, 7, rng)
    moments = CrossMoments.of(x, rotated(x, rng, scale=0.2, shift=50.0))
    assert linear_maps.held_out_r2(linear_maps.orthogonal(moments, scaled=True), moments) == pytest.approx(1, abs=1e-12)
    assert linear_maps.held_out_r2(linear_maps.orthogonal(moments), moments) == pytest.approx(1 - 0.8**2 / 0.2**2)


@pytest.mark.parametrize(("p", "q"), [(4, 7), (7, 4)])
def test_rotations_between_unequal_widths_are_those_of_rows_filled_up_with_zeros(p, q):
    x, y = generic_pair(70, p, q, np.random.default_rng(16))
    fitted = linear_maps.orthogonal(CrossMoments.of(x, y))
    wide = [np.pad(side - side.mean(axis=0), ((0, 0), (0, 7 - side.shape[1]))) for side in (x, y)]
    peer = orthogonal_procrustes(*wide)[0]
    np.testing.assert_allclose(fitted.weight, peer[:p, :q], atol=1e-10)
    small = fitted.weight.T @ fitted.weight if p > q else fitted.weight @ fitted.weight.T
    np.testing.assert_allclose(small, np.eye(4), atol=1e-12)


def test_least_squares_fits_its_rows_best_then_a_scaled_rotation_then_a_rotation():
    train = CrossMoments.of(*generic_pair(80, 6, 6, np.random.default_rng(17)))
    scores = [linear_maps.held_out_r2(fitted, train) for fitted in (
        linear_maps.affine(train), linear_maps.orthogonal(train, scaled=True), linear_maps.orthogonal(train))]
    assert scores[0] > scores[1] > scores[2]


def test_the_identity_changes_nothing_and_needs_equal_widths():
    x, y = generic_pair(30, 5, 5, np.random.default_rng(18))
    fitted = linear_maps.identity(CrossMoments.of(x, y))
    np.testing.assert_array_equal(fitted(x), x)
    assert linear_maps.held_out_r2(fitted, CrossMoments.of(x, x)) == pytest.approx(1, abs=1e-12)
    with pytest.raises(Undefined, match="rows 5 wide cannot stand in for rows 4 wide"):
        linear_maps.identity(CrossMoments.of(x, y[:, :4]))


def test_the_mean_explains_nothing_of_its_own_rows_and_less_than_nothing_of_others():
    fit, other = halves(40, 4, 6, seed=19)
    train, held_out = CrossMoments.of(*fit), CrossMoments.of(*other)
    fitted = linear_maps.mean(train)
    np.testing.assert_allclose(fitted(other[0]), np.tile(fit[1].mean(axis=0), (40, 1)), rtol=1e-12)
    assert linear_maps.held_out_r2(fitted, train) == pytest.approx(0.0, abs=1e-12)
    assert linear_maps.held_out_r2(fitted, held_out) < 0


@every_fit
@pytest.mark.parametrize("offset", [0.0, 1e3])
def test_held_out_r2_is_that_of_the_rows_even_far_from_the_origin_in_float32(name, offset):
    fit, other = halves(60, 6, 6, seed=20)
    sets = [((x + offset).astype(np.float32), (y - offset).astype(np.float32)) for x, y in (fit, other)]
    fitted = FITTED[name](CrossMoments.of(*sets[0]))
    assert fitted.kind == name
    for x, y in sets:
        exact = r2_of_rows(fitted, x.astype(np.float64), y.astype(np.float64))
        assert linear_maps.held_out_r2(fitted, CrossMoments.of(x, y)) == pytest.approx(exact, abs=1e-10)


@every_fit
def test_any_batches_give_the_same_map(name):
    x, y = generic_pair(300, 6, 6, np.random.default_rng(21))
    parts = [CrossMoments.of(x[at:at + 37], y[at:at + 37]) for at in range(0, 300, 37)]
    whole, added = FITTED[name](CrossMoments.of(x, y)), FITTED[name](sum(parts[1:], start=parts[0]))
    np.testing.assert_allclose(added.weight, whole.weight, atol=1e-12)
    np.testing.assert_allclose(added.bias, whole.bias, atol=1e-12)


def test_the_denominator_is_centred_so_a_large_mean_does_not_flatter():
    rng = np.random.default_rng(22)
    x, y = rng.standard_normal((200, 5)), rng.standard_normal((200, 5)) + 100
    train, held_out = CrossMoments.of(x[:100], y[:100]), CrossMoments.of(x[100:], y[100:])
    fitted = linear_maps.affine(train)
    assert linear_maps.held_out_r2(fitted, held_out) < 0
    assert 1 - np.sum((fitted(x[100:]) - y[100:])**2) / np.sum(y[100:]**2) > 0.999, "uncentred, it would look perfect"


def test_the_map_the_other_way_comes_from_the_same_moments():
    x, y = generic_pair(60, 5, 8, np.random.default_rng(23))
    there, back = (linear_maps.affine(moments) for moments in (CrossMoments.of(x, y).swapped, CrossMoments.of(y, x)))
    np.testing.assert_allclose(there.weight, back.weight, atol=1e-10)
    assert there.weight.shape == (8, 5)


@pytest.mark.parametrize(("rows_per_input", "train_r2", "test_r2", "error"), [
    (1.2, 0.92, -1.99, 0.4), (2, 0.75, 0.00, 0.021), (5, 0.60, 0.38, 0.0063), (10, 0.55, 0.44, 0.0055),
    (20, 0.53, 0.47, 0.0052)])
def test_isotropic_rows_with_a_true_r2_of_half_obey_the_sample_size_table(rows_per_input, train_r2, test_r2, error):
    """similarity.md 2.2 is one draw; `error` is four standard deviations of the held-out R2 over draws."""
    d, rng = 256, np.random.default_rng(24)
    n, rotation = round(rows_per_input * d), orthogonal(d, rng)

    def pairs(count: int) -> CrossMoments:
        x = rng.standard_normal((count, d))
        return CrossMoments.of(x, x @ rotation + rng.standard_normal((count, d)))

    train, held_out = pairs(n), pairs(2000)
    fitted = linear_maps.affine(train)
    in_theory = 1 - 0.5 * (n - d - 1) / (n - 1), 1 - 0.5 * (n + 1) * (n - 2) / (n * (n - d - 2))
    assert linear_maps.held_out_r2(fitted, train) == pytest.approx(in_theory[0], abs=0.007)
    assert linear_maps.held_out_r2(fitted, held_out) == pytest.approx(in_theory[1], abs=error)
    assert (train_r2, test_r2) == pytest.approx(in_theory, abs=error + 0.005)
    assert bool(linear_maps.too_few_rows(train)) == (rows_per_input < 10)


def test_an_independent_target_at_two_rows_per_input_reads_half_on_its_own_rows_and_minus_one_on_others():
    d, rng = 128, np.random.default_rng(25)
    train, held_out = (CrossMoments.of(rng.standard_normal((n, d)), rng.standard_normal((n, d))) for n in (2 * d, 2000))
    fitted = linear_maps.affine(train)
    assert linear_maps.held_out_r2(fitted, train) == pytest.approx(0.5, abs=0.02)
    assert linear_maps.held_out_r2(fitted, held_out) == pytest.approx(-1.0, abs=0.05)


def test_the_guard_names_the_rows_the_inputs_and_what_to_do():
    rng = np.random.default_rng(26)
    few, enough = (CrossMoments.of(generic(n, 8, rng), generic(n, 3, rng)) for n in (79, 80))
    sentence = linear_maps.too_few_rows(few)
    for part in ("79 rows for 8 inputs", "9.9 rows per input", "80 rows or more", "ridge"):
        assert part in sentence
    assert linear_maps.too_few_rows(enough) == ""


def test_the_shift_is_the_distance_of_means_and_the_bures_distance_of_covariances():
    fit, other = halves(80, 7, 5, seed=27)
    fitted = linear_maps.affine(CrossMoments.of(*fit))
    shift = linear_maps.distribution_shift(fitted, CrossMoments.of(*other))
    mapped, target = fitted(other[0]), other[1]
    c, t = (np.cov(rows.T, bias=True) for rows in (mapped, target))
    root = sqrtm(c)
    bures = np.sqrt(np.trace(c) + np.trace(t) - 2 * np.trace(sqrtm(root @ t @ root)).real)
    unit = np.sqrt(np.trace(t))
    miss = np.linalg.norm(mapped.mean(axis=0) - target.mean(axis=0))
    assert shift.mean_distance == pytest.approx(miss / unit, rel=1e-9)
    assert shift.covariance_distance == pytest.approx(bures / unit, rel=1e-7)
    assert shift.variance_ratio == pytest.approx(np.trace(c) / np.trace(t), rel=1e-10)


def test_states_that_are_the_targets_own_have_no_shift_and_a_bias_moves_only_the_mean():
    x = generic(60, 5, np.random.default_rng(28))
    moments = CrossMoments.of(x, x)
    own = linear_maps.distribution_shift(linear_maps.identity(moments), moments)
    assert (own.mean_distance, own.variance_ratio) == pytest.approx((0.0, 1.0), abs=1e-12)
    assert own.covariance_distance == pytest.approx(0.0, abs=1e-7), "the square root of a rounding error"
    unit = np.sqrt(moments.totals[1] / moments.n)
    moved = linear_maps.distribution_shift(LinearMap(np.eye(5), np.array([3.0, 0, 0, 0, -4]), "moved", 5), moments)
    assert moved.mean_distance == pytest.approx(5 / unit, rel=1e-12)
    assert moved.covariance_distance == pytest.approx(own.covariance_distance, abs=1e-12)
    halved = linear_maps.distribution_shift(LinearMap(0.5 * np.eye(5), 0.5 * x.mean(axis=0), "half", 5), moments)
    assert halved.covariance_distance == pytest.approx(0.5, rel=1e-10)


def test_least_squares_leaves_out_the_variance_that_it_does_not_explain_and_a_rotation_leaves_out_none():
    x, y = generic_pair(80, 6, 6, np.random.default_rng(29))
    train = CrossMoments.of(x, y)
    fitted = linear_maps.affine(train)
    shift = linear_maps.distribution_shift(fitted, train)
    assert shift.variance_ratio == pytest.approx(linear_maps.held_out_r2(fitted, train), rel=1e-10)
    assert shift.mean_distance == pytest.approx(0.0, abs=1e-12)
    turned = linear_maps.distribution_shift(linear_maps.orthogonal(train), train)
    assert turned.variance_ratio == pytest.approx(train.totals[0] / train.totals[1], rel=1e-12)
    gone = linear_maps.distribution_shift(linear_maps.mean(train), train)
    assert (gone.covariance_distance, gone.variance_ratio) == pytest.approx((1.0, 0.0), abs=1e-12)


def test_a_target_that_does_not_vary_has_no_r2_and_rows_that_do_not_vary_no_scale():
    x = generic(30, 4, np.random.default_rng(30))
    still, sender = CrossMoments.of(x, np.full((30, 3), 0.1)), CrossMoments.of(np.full((30, 4), 0.1), x)
    for judge in (linear_maps.held_out_r2, linear_maps.distribution_shift):
        with pytest.raises(Undefined, match="does not vary"):
            judge(linear_maps.affine(still), still)
    with pytest.raises(Undefined, match="no scale"):
        linear_maps.orthogonal(sender, scaled=True)
    np.testing.assert_array_equal(linear_maps.affine(sender).weight, np.zeros((4, 4)))


def test_a_negative_rank_is_refused():
    train = CrossMoments.of(*generic_pair(30, 4, 4, np.random.default_rng(31)))
    with pytest.raises(ValueError, match="0 or more, got -1"):
        linear_maps.reduced_rank(train, -1)
