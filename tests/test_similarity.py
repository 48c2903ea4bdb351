"""How often documents are shuffled when nobody says."""

import pytest

from analysis import registry
from analysis.similarity import draws_for


@pytest.mark.parametrize(("name", "cells", "draws"), [
    ("linear_cka_debiased", 36, 199), ("linear_cka_debiased", 400, 199), ("linear_cka_debiased", 154 * 154, 99),
    ("linear_cka_debiased", 240 * 240, 0), ("rsa_cosine_spearman", 441, 99), ("procrustes_nbs", 36, 39),
    ("procrustes_nbs", 441, 0)])
def test_shuffles_are_fewer_where_they_take_longer(name, cells, draws):
    assert draws_for(registry.get(name), cells) == draws
