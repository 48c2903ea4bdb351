"""What fakes similarity between independent representations is warned of, and the value without it stands beside."""

import numpy as np
import pytest

from analysis import registry
from analysis.outliers import outlier_signature, outlier_warnings
from analysis.pairs import cells
from analysis.pairs.engine import all_pairs
from analysis.pairs.work import Work

N, D = 400, 32
CKA, HEADLESS = (registry.get(name) for name in ("linear_cka_debiased", "linear_cka_debiased_head_removed"))


def independent(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((N, D)), rng.standard_normal((N, D))


def warned(rows: np.ndarray) -> str:
    return "; ".join(outlier_warnings(outlier_signature(rows)))


def test_nothing_is_faked_and_nothing_is_warned_of_where_nothing_is_planted():
    x, y = independent()
    assert abs(CKA(x, y).value) < 0.02 and warned(x) == warned(y) == ""


@pytest.mark.parametrize("sinks", [2, 10])
def test_attention_sinks_fake_a_high_value_that_falls_without_the_top_direction(sinks):
    x, y = independent()
    for rows, seed in ((x, 1), (y, 2)):
        rows[:sinks] += 300 * np.random.default_rng(seed).standard_normal(D)
    assert CKA(x, y).value > 0.9 and abs(HEADLESS(x, y).value) < 0.1
    assert "of the rows hold" in warned(x) and "of the rows hold" in warned(y)


def test_one_sink_row_does_not_fake_a_debiased_value_but_a_biased_one():
    x, y = independent()
    x[0] += 300
    y[0] -= 200
    assert abs(CKA(x, y).value) < 0.1 and registry.get("linear_cka_biased")(x, y).value > 0.9
    assert "one row holds" in warned(x) and "one row holds" in warned(y)


def test_one_massive_channel_that_both_share_is_warned_of_and_gone_without_the_top_direction():
    x, y = independent()
    massive = np.random.default_rng(3).standard_normal(N) * 60
    x[:, 4], y[:, 9] = massive, -massive
    assert CKA(x, y).value > 0.9 and abs(HEADLESS(x, y).value) < 0.05
    assert "one channel holds" in warned(x) and "one channel holds" in warned(y)


def test_duplicate_rows_fake_similarity_and_are_warned_of():
    x, y = independent()
    for rows in (x, y):
        rows[:N // 2] = rows[0] * 3
    assert CKA(x, y).value > 0.5 and "of the rows repeat another row" in warned(x)


def test_documents_that_are_alike_fake_a_value_whose_p_says_that_chance_gives_it_too():
    rng = np.random.default_rng(4)
    documents = tuple(f"d{row // 20}" for row in range(N))
    x, y = (rng.standard_normal((N, D)) + 1.5 * np.repeat(rng.standard_normal((N // 20, D)), 20, axis=0)
            for _ in range(2))
    found = all_pairs(Work(rows=[lambda: x], columns=[lambda: y], measure=CKA, settings={}, documents=documents,
                           draws=99))
    said = cells.verdict(found, CKA)
    assert found.values[0, 0] > 0.15 and said.mean[0, 0] > 0.15
    assert said.p[0, 0] > 0.05 and said.calibrated[0, 0] < 0.1
