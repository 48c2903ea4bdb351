"""Phases that were labelled once are kept for as long as values, groups, unit and rule are the same, and no longer."""

from dataclasses import replace

import numpy as np
import pytest

from analysis import phases, phasing
from analysis.phases import CHOSEN
from tests.test_phasing import planted  # noqa: F401 - a fixture


@pytest.fixture
def labelled(monkeypatch):
    """How often a series was labelled."""
    phasing._labels.cache_clear()
    calls, label = [], phases.label
    monkeypatch.setattr(phases, "label", lambda series, rule=CHOSEN: calls.append(rule) or label(series, rule))
    return calls


def test_the_same_stored_values_are_labelled_once(store, protocol, planted, labelled):  # noqa: F811
    one, other = (phasing.of_run(store, planted, protocol, "final") for _ in range(2))
    assert len(labelled) == 1 and one.labels is other.labels and one.series is not other.series


@pytest.mark.parametrize("change", [
    lambda series: replace(series, alpha=series.alpha + 1e-12),
    lambda series: replace(series, log_rankme_left_out=series.log_rankme_left_out + 1e-12),
    lambda series: replace(series, position=series.position * 2), lambda series: replace(series, unit="steps"),
    lambda series: replace(series, sizes=None)], ids=["a value", "a group", "a place", "the unit", "no groups"])
def test_what_differs_in_anything_is_labelled_anew(store, protocol, planted, labelled, change):  # noqa: F811
    series = phasing.of_run(store, planted, protocol, "final").series
    changed = change(series)
    assert str(phasing._labels(phasing._Content(changed), CHOSEN)) == str(phases.label(changed))
    assert len(labelled) == 3


def test_another_rule_labels_anew(store, protocol, planted, labelled):  # noqa: F811
    strict = replace(CHOSEN, prominence=20.0)
    first, second = (phasing.of_run(store, planted, protocol, "final", rule=rule) for rule in (CHOSEN, strict))
    assert labelled == [CHOSEN, strict] and first.labels.names() != second.labels.names()


def test_the_share_that_is_kept_is_that_of_the_rules_near_it(store, protocol, planted):  # noqa: F811
    series = phasing.of_run(store, planted, protocol, "final").series
    for _ in range(2):
        kept = phasing._shares(phasing._Content(series), CHOSEN)
        np.testing.assert_array_equal(kept, phases.sensitivity(series).share)
