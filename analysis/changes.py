"""Is the difference between two checkpoints real? Differences of stored values, paired over documents."""

from collections.abc import Sequence
from typing import Any

from analysis import compute
from analysis.inference.jackknife import paired_change
from analysis.keys import Checkpoint, ResultKey
from analysis.measure import Measure
from analysis.representations import Protocol
from analysis.results import Scalar
from analysis.store import Store

UNPAIRED = "no paired interval: the value has none, or none for its changes, or the rows are of other documents"


def scalar(store: Store, checkpoint: Checkpoint, protocol: Protocol, site: str, measure: Measure,
           settings: compute.Settings) -> Scalar | None:
    """The stored value of a measure at one site of a checkpoint, or None."""
    key = protocol.key(checkpoint)
    params = tuple(sorted(measure.settings(settings.get(measure.name)).items()))
    stored = store.results(key).get(ResultKey(key, site, measure.name, measure.version, params))
    return stored.result if stored and isinstance(stored.result, Scalar) else None


def between(store: Store, before: Checkpoint, after: Checkpoint, protocol: Protocol, sites: Sequence[str],
            measure: Measure, settings: compute.Settings) -> list[dict[str, Any]]:
    """One row for each site that both have: both values, the change, its 95 % interval and what that says.

    Each group of documents is left out at both checkpoints, so that what texts have in common cancels.
    """
    rows = []
    for site in sites:
        one, other = (scalar(store, checkpoint, protocol, site, measure, settings) for checkpoint in (before, after))
        if one is None or other is None or not (one.defined and other.defined):
            continue
        paired = paired_change(one, other)
        change, low, high = paired or (other.value - one.value, None, None)
        says = UNPAIRED if low is None or high is None else "differs" if low > 0 or high < 0 else "not distinguishable"
        rows.append({"site": site, "from": one.value, "to": other.value, "change": change, "low": low, "high": high,
                     "says": says})
    return rows
