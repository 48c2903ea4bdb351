"""The test of two groups of diagrams: by hand, against its definition, its level under the null and its power."""

from itertools import combinations, product
from math import comb

import numpy as np
import pytest
from ripser import ripser
from scipy.cluster.hierarchy import linkage
from scipy.stats import binom, kstest

from analysis.errors import Undefined
from analysis.topology.distances import bottleneck, merges_apart, wasserstein
from analysis.topology.two_sample import RANDOM, two_sample

each_design = pytest.mark.parametrize("paired", [True, False], ids=["paired", "unpaired"])


def bar(death: float) -> np.ndarray:
    return np.array([[0.0, death]])


def apart(a: np.ndarray, b: np.ndarray) -> float:
    """Of two diagrams with one bar."""
    return float(abs(a[0, 1] - b[0, 1]))


def merge_bars(x: np.ndarray) -> np.ndarray:
    heights = linkage(x, "single")[:, 2]
    return np.column_stack([np.zeros(len(heights)), heights])


def loops(x: np.ndarray) -> np.ndarray:
    return ripser(x, maxdim=1)["dgms"][1].astype(float)


def mean_apart(group: list[np.ndarray]) -> float:
    return float(np.mean([apart(a, b) for a, b in combinations(group, 2)]))


def by_definition(a: list[np.ndarray], b: list[np.ndarray], paired: bool) -> tuple[float, int]:
    """p and the number of labellings, of which every one is taken with its mirror image."""
    losses, every = [], [*a, *b]
    if paired:
        for flips in product([False, True], repeat=len(a)):
            sides = [(d, c) if flip else (c, d) for flip, c, d in zip(flips, a, b, strict=True)]
            losses.append(sum(mean_apart(list(group)) for group in zip(*sides, strict=True)))
    else:
        for chosen in combinations(range(len(every)), len(a)):
            groups = ([every[i] for i in chosen], [every[i] for i in range(len(every)) if i not in chosen])
            losses.append(sum(map(mean_apart, groups)))
    seen = mean_apart(a) + mean_apart(b)
    return float(np.mean(np.array(losses) <= seen + 1e-12)), len(losses)


def test_two_groups_far_apart_by_hand():
    """Deaths 1, 2, 4 and 11, 12, 14: means within a group of (1 + 2 + 3) / 3, and 10 between."""
    a, b = [bar(1), bar(2), bar(4)], [bar(11), bar(12), bar(14)]
    found = two_sample(a, b, apart, paired=False)
    assert (found.within_a, found.within_b, found.loss, found.between) == (2, 2, 4, 10)
    assert found.labellings == 10 and found.p == 0.1
    assert two_sample(a, b, apart, paired=True).p == 1 / 4
    assert found.distances.shape == (6, 6) and found.distances[0, 5] == found.distances[5, 0] == 13


@each_design
@pytest.mark.parametrize("draws", [2, 3, 4])
def test_p_is_the_share_of_all_labellings_whose_loss_is_no_larger(paired, draws):
    rng = np.random.default_rng(0)
    for shift in (0.0, 0.5, 3.0):
        a, b = ([bar(at + death) for death in 5 + rng.random(draws)] for at in (0.0, shift))
        found = two_sample(a, b, apart, paired=paired)
        p, labellings = by_definition(a, b, paired)
        assert found.p == pytest.approx(p, abs=1e-12) and 2 * found.labellings == labellings


@each_design
def test_p_is_1_where_all_diagrams_are_the_same(paired):
    found = two_sample([bar(3)] * 4, [bar(3)] * 4, apart, paired=paired)
    assert (found.loss, found.between, found.p) == (0, 0, 1)


@each_design
def test_the_names_of_the_groups_do_not_matter(paired):
    rng = np.random.default_rng(1)
    a, b = ([bar(death) for death in at + rng.random(5)] for at in (1.0, 1.4))
    one, other = (two_sample(*groups, apart, paired=paired) for groups in ((a, b), (b, a)))
    assert one.p == other.p and one.loss == pytest.approx(other.loss, rel=1e-14)
    assert (one.within_a, one.within_b) == pytest.approx((other.within_b, other.within_a), rel=1e-14)


@each_design
def test_ties_count_as_no_larger_however_the_sum_is_rounded(paired):
    """Deaths that are all equally far from each other: every labelling has the same loss."""
    rng = np.random.default_rng(2)
    found = two_sample([bar(1)] * 5, [bar(2)] * 5, lambda a, b: 0.1 + 0.0 * rng.random(), paired=paired)
    assert found.p == 1


@pytest.mark.parametrize(("draws", "paired", "labellings"), [
    (2, True, 2), (6, True, 32), (11, True, 1024), (12, True, 1 + RANDOM),
    (2, False, 3), (4, False, 35), (6, False, 462), (7, False, 1 + RANDOM)])
def test_all_labellings_are_tried_where_there_are_few(draws, paired, labellings):
    rng = np.random.default_rng(3)
    a, b = ([bar(death) for death in at + rng.random(draws)] for at in (1.0, 90.0))
    found = two_sample(a, b, apart, paired=paired)
    assert found.labellings == labellings and 1 / labellings <= found.p < max(2.01 / labellings, 0.01)


def test_random_labellings_come_close_to_all_of_them_and_repeat_with_the_seed():
    rng = np.random.default_rng(4)
    a, b = ([bar(death) for death in at + rng.random(8)] for at in (1.0, 1.15))
    exact, _ = by_definition(a, b, paired=False)
    assert comb(16, 8) > 2 * 1024 and 0.05 < exact < 0.95
    found = [two_sample(a, b, apart, paired=False, seed=seed).p for seed in range(20)]
    assert np.mean(found) == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / RANDOM / 20) + 1 / RANDOM)
    assert len(set(found)) > 1 and found[7] == two_sample(a, b, apart, paired=False, seed=7).p


def null_ps(repeats: int, draws: int, paired: bool, effect: float) -> np.ndarray:
    """p values of two groups of the same law, whose draws share no document. Draw j of both groups is of the same
    documents: an effect of them scales both clouds."""
    rng = np.random.default_rng(5)
    found = []
    for _ in range(repeats):
        scales = np.exp(effect * rng.standard_normal(draws))
        a, b = ([merge_bars(scale * rng.standard_normal((15, 3))) for scale in scales] for _ in range(2))
        found.append(two_sample(a, b, merges_apart, paired=paired).p)
    return np.array(found)


def within_binomial_limits(hits: int, repeats: int, level: float) -> bool:
    return bool(binom.ppf(0.0005, repeats, level) <= hits <= binom.ppf(0.9995, repeats, level))


def test_p_is_uniform_under_the_null():
    p = null_ps(400, 8, paired=False, effect=0.0)
    assert within_binomial_limits(int((p <= 0.05).sum()), len(p), 0.05)
    assert kstest(p, "uniform").pvalue > 0.001


@pytest.mark.parametrize("effect", [0.0, 0.1])
def test_p_is_uniform_over_its_steps_for_pairs_under_the_null(effect):
    p = null_ps(400, 6, paired=True, effect=effect)
    for steps in (1, 2, 8, 16):
        assert within_binomial_limits(int((p <= steps / 32 + 1e-9).sum()), len(p), steps / 32)


def test_ties_between_labellings_of_pairs_make_p_too_large_and_never_too_small():
    """Where all merges of one pair come before those of another, exchanging labels does not change the loss."""
    p = null_ps(200, 6, paired=True, effect=1.0)
    assert all((p <= steps / 32 + 1e-9).sum() <= binom.ppf(0.9995, len(p), steps / 32) for steps in (1, 2, 8, 16))
    assert (p <= 1 / 32 + 1e-9).mean() < 1 / 32


def test_unpaired_labels_are_wrong_for_pairs():
    """Pairs stay close whatever their labels: exchanging labels across pairs hardly ever finds the groups apart."""
    p = null_ps(200, 6, paired=False, effect=1.0)
    assert not within_binomial_limits(int((p <= 0.5).sum()), len(p), 0.5)


def test_draws_that_share_documents_reject_too_often():
    """Why the docstring asks for disjoint draws: two groups of the same law, each of overlapping draws of its own 30
    documents."""
    rng = np.random.default_rng(6)
    p = []
    for _ in range(100):
        groups = [rng.standard_normal((30, 3)) for _ in range(2)]
        a, b = ([merge_bars(rows[rng.permutation(30)[:25]]) for _ in range(6)] for rows in groups)
        p.append(two_sample(a, b, merges_apart, paired=False).p)
    assert np.mean(np.array(p) <= 0.05) > 0.5


@each_design
@pytest.mark.parametrize("distance", [wasserstein, bottleneck], ids=lambda distance: distance.__name__)
def test_a_circle_is_told_from_noise_of_as_many_points(paired, distance):
    rng = np.random.default_rng(7)
    found = []
    for _ in range(10):
        angles = rng.uniform(0, 2 * np.pi, (6, 40))
        circles = np.stack([np.cos(angles), np.sin(angles)], axis=2) + 0.15 * rng.standard_normal((6, 40, 2))
        noise = rng.standard_normal((6, 40, 2)) * circles.std()
        found.append(two_sample(list(map(loops, circles)), list(map(loops, noise)), distance, paired=paired).p)
    assert np.mean(np.array(found) <= 0.05) >= 0.8


def test_groups_of_different_sizes_are_refused():
    with pytest.raises(ValueError, match="got 3 and 2"):
        two_sample([bar(1)] * 3, [bar(2)] * 2, apart, paired=False)


def test_one_draw_of_each_group_has_no_distance_within():
    with pytest.raises(Undefined, match="1 draw of each group"):
        two_sample([bar(1)], [bar(2)], apart, paired=True)
