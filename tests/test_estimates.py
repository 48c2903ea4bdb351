"""Estimates of a sweep over the Hub: bytes counted once, seconds in proportion, and a sentence a person can read."""

import math

import numpy as np
import pytest

from analysis import estimates
from analysis.checkpoints.hub import Remote
from analysis.estimates import LINE_BYTES_PER_S, duration, estimate, operations_per_s, volume
from analysis.extraction.probes import Probe, Text


def remote(commit, *, weights="a", size=1_000_000):
    """A commit with its weights, by their digest, and a config that never differs."""
    return Remote("lab/model", commit, (("config.json", 500, "settings"), ("model.safetensors", size, weights)))


def probe_of(*lengths):
    return Probe("made", tuple(Text(str(k), str(k), "w" * length) for k, length in enumerate(lengths)))


PROBE = probe_of(400, 200)


def test_bytes_are_summed_over_revisions_and_the_largest_is_that_at_once():
    found = estimate([remote("1", weights="a", size=1_000), remote("2", weights="b", size=5_000)], PROBE)
    assert (found.total_bytes, found.largest_bytes) == (7_000, 5_500)
    assert found.download_s == pytest.approx(7_000 / LINE_BYTES_PER_S)


def test_identical_revisions_are_fetched_and_computed_once():
    one, other = remote("1", weights="a"), remote("2", weights="b")
    again = remote("3", weights="a")
    assert again.fingerprint == one.fingerprint != other.fingerprint
    assert estimate([one, other, again, again], PROBE) == estimate([one, other], PROBE)


def test_the_order_of_the_revisions_does_not_matter():
    remotes = [remote(str(k), weights=str(k), size=1_000 * (k + 1)) for k in range(4)]
    forwards, backwards = estimate(remotes, PROBE), estimate(remotes[::-1], PROBE)
    assert forwards.total_bytes == backwards.total_bytes and forwards.largest_bytes == backwards.largest_bytes
    assert forwards.compute_s == pytest.approx(backwards.compute_s, rel=1e-12)


def test_nothing_chosen_costs_nothing():
    found = estimate([], PROBE)
    assert (found.total_bytes, found.largest_bytes, found.download_s, found.compute_s) == (0, 0, 0, 0)
    assert found.sentence


def test_forward_passes_take_two_operations_a_parameter_and_token_at_half_of_the_speed(monkeypatch):
    """3 GB hold 1e9 parameters at 3 bytes; 4e6 characters are 1e6 tokens: 2e15 operations at 5e11 a second."""
    monkeypatch.setattr(estimates, "operations_per_s", lambda: 1e12)
    found = estimate([Remote("lab/model", "1", (("model.safetensors", 3_000_000_000, "a"),))], probe_of(4_000_000))
    assert found.compute_s == pytest.approx(4000)
    assert found.download_s == pytest.approx(150)


def test_seconds_grow_in_proportion_to_the_texts_and_bytes_do_not():
    short, long = (estimate([remote("1")], probe_of(*[100] * count)) for count in (10, 30))
    assert long.compute_s == pytest.approx(3 * short.compute_s)
    assert (long.total_bytes, long.download_s) == (short.total_bytes, short.download_s)


def test_the_sentence_says_bytes_and_seconds_in_units_a_person_would_use():
    said = estimates.Estimate(40_500_000_000, 820_000_000, 2025.0, 7300.0).sentence
    for part in ("40.5 GB to download", "820.0 MB at a time", "about 34 min at 20 MB/s", "about 2.0 h of forward"):
        assert part in said, said
    assert said.endswith(".") and "\n" not in said


@pytest.mark.parametrize(("size", "said"), [(0, "0.0 MB"), (49_999, "0.0 MB"), (1_500_000, "1.5 MB"),
                                            (999_900_000, "999.9 MB"), (1_000_000_000, "1.0 GB"),
                                            (123_456_000_000, "123.5 GB")])
def test_bytes_are_said_in_megabytes_or_gigabytes(size, said):
    assert volume(size) == said


@pytest.mark.parametrize(("seconds", "said"), [(0.0, "1 s"), (0.4, "1 s"), (1.6, "2 s"), (89.0, "89 s"),
                                               (90.0, "2 min"), (600.0, "10 min"), (5400.0, "1.5 h"),
                                               (36_000.0, "10.0 h")])
def test_seconds_are_said_in_seconds_minutes_or_hours(seconds, said):
    assert duration(seconds) == said


def test_what_is_said_is_within_a_tenth_and_a_half_unit_of_what_was_meant():
    unit = {"s": 1, "min": 60, "h": 3600}
    for seconds in np.geomspace(1, 1e6, 200):
        number, name = duration(float(seconds)).split()
        assert math.isclose(float(number) * unit[name], seconds, rel_tol=0.1, abs_tol=0.5 * unit[name])


def test_the_speed_of_this_machine_is_positive_and_measured_once():
    speed = operations_per_s()
    assert 0 < speed < math.inf and operations_per_s() == speed


def test_an_estimate_with_the_speed_of_this_machine_is_finite():
    assert 0 < estimate([remote("1")], PROBE).compute_s < math.inf
