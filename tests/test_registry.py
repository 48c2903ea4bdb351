"""Measures are found by walking a package: one new file is one new measure."""

import importlib
import sys
import textwrap

import numpy as np
import pytest

import analysis.measures
from analysis import registry
from analysis.measure import Measure

TOY = '''
"""A toy."""

from analysis.measure import RIGID, Measure


def {name}(x):
    """Number of rows.

    Simply:

        n
    """
    return float(len(x))


MEASURES = (
    Measure(name="{name}", fn={name}, arity=1, takes="rows", returns="scalar", label="Rows", symbol="n", unit="rows",
            bounds=(0.0, float("inf")), direction="larger: more rows", invariant_to=RIGID, min_samples=2, cost="1",
            caveats="A toy.", reference="gao2017theory", version=1, uncertainty="none", null="none"),
)
'''


@pytest.fixture
def extra_measures(tmp_path, monkeypatch):
    """A function that writes a module into a second folder of the package; everything is forgotten afterwards."""
    monkeypatch.setattr(analysis.measures, "__path__", [*analysis.measures.__path__, str(tmp_path)])
    written = []

    def write(module: str, source: str) -> None:
        (tmp_path / f"{module}.py").write_text(textwrap.dedent(source), encoding="utf-8")
        written.append(module)
        importlib.invalidate_caches()
        registry.all_measures.cache_clear()
    yield write
    registry.all_measures.cache_clear()
    for module in written:
        sys.modules.pop(f"analysis.measures.{module}", None)
        if hasattr(analysis.measures, module):
            delattr(analysis.measures, module)


def test_every_module_of_measures_is_found():
    known = registry.all_measures()
    assert {"rankme_covariance", "rankme_singular_values", "participation_ratio", "stable_rank",
            "alpha_weighted_least_squares", "covariance_eigenspectrum", "linear_cka_debiased"} <= set(known)
    assert all(isinstance(measure, Measure) and name == measure.name for name, measure in known.items())


def test_a_measure_is_got_by_its_name():
    assert registry.get("participation_ratio").name == "participation_ratio"


@pytest.mark.parametrize(("typed", "meant"), [("participation_ration", "participation_ratio"), ("cka", "linear_cka_"),
                                              ("rankme", "rankme_covariance"), ("Stable Rank", "stable_rank")])
def test_an_unknown_name_is_answered_with_the_nearest_known_ones(typed, meant):
    with pytest.raises(ValueError, match=f"no measure is named '{typed}'; did you mean .*{meant}"):
        registry.get(typed)


def test_a_name_like_no_other_is_answered_with_all_of_them():
    with pytest.raises(ValueError) as error:
        registry.get("zzzz")
    assert all(name in str(error.value) for name in registry.all_measures())


def test_measures_are_listed_by_what_they_take_and_give():
    pairs = registry.of_kind(arity=2, returns="scalar")
    assert pairs and all(measure.arity == 2 and measure.returns == "scalar" for measure in pairs)
    assert {m.name for m in registry.of_kind(arity=1, returns="spectrum")} == {
        "covariance_eigenspectrum", "intrinsic_dimension_gride_by_scale"}
    assert registry.of_kind(arity=2, returns="no such kind") == []


def test_one_new_file_is_one_new_measure(extra_measures):
    before = set(registry.all_measures())
    extra_measures("toy", TOY.format(name="toy_count"))
    assert set(registry.all_measures()) == before | {"toy_count"}
    assert registry.get("toy_count")(np.ones((5, 2))).value == 5.0
    assert registry.get("toy_count").equation == "n"
    assert "toy_count" in [measure.name for measure in registry.of_kind(arity=1, returns="scalar")]


def test_the_toy_of_the_test_before_is_forgotten():
    assert "toy_count" not in registry.all_measures()
    assert "analysis.measures.toy" not in sys.modules


def test_a_second_measure_of_the_same_name_is_refused(extra_measures):
    extra_measures("toy", TOY.format(name="participation_ratio"))
    with pytest.raises(ValueError, match="two measures are named participation_ratio"):
        registry.all_measures()


def test_a_module_that_starts_with_an_underscore_holds_no_measures(extra_measures):
    extra_measures("_helper", "raise AssertionError('a helper must not be walked')")
    registry.all_measures()


def test_a_module_that_lists_no_measures_fails_loudly(extra_measures):
    extra_measures("forgetful", "x = 1")
    with pytest.raises(AttributeError, match="MEASURES"):
        registry.all_measures()
