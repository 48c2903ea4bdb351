"""Stored results as tidy tables: one row a value, one column a thing that is known of it."""

import json
from collections.abc import Sequence
from typing import Any

import pandas as pd

from analysis import compute, similarity, summaries
from analysis.errors import ExplorerError
from analysis.keys import RepresentationKey, Run
from analysis.measure import Measure
from analysis.representations import Protocol
from analysis.runs import find_run, known_runs
from analysis.similarity import Item
from analysis.store import Store, open_store

TEXT, WHOLE, REAL = "str", "Int64", "float64"
COLUMNS = {"run": TEXT, "revision": TEXT, "step": WHOLE, "tokens": WHOLE, "site": TEXT, "measure": TEXT,
           "version": WHOLE, "params": TEXT, "value": REAL, "low": REAL, "high": REAL, "chance": REAL, "reason": TEXT,
           "n": WHOLE, "d": WHOLE, "probe": TEXT, "rows": TEXT, "dtype": TEXT, "fingerprint": TEXT, "loss": REAL}


def tidy(runs: Sequence[str | Run] | str | Run | None = None, *, store: Store | None = None,
         **filters: str | None) -> pd.DataFrame:
    """Every stored scalar of some runs: a row for each checkpoint, site, measure, setting and protocol.

    Parameters
    ----------
    runs : names, as find_run takes them, or runs; None is every run that is known
    store : where they are stored; the app's own unless given
    filters : of `analysis.compute.records`: probe (its identity), policy, dtype, measure and site

    Returns
    -------
    The columns of COLUMNS, also where there is no row. `low` and `high` are the 95 % interval, `chance` what the
    measure gives with nothing to find, `params` JSON, `loss` that of the model on the probe in nats per token. An
    undefined value is NaN and has its `reason`.
    """
    kept = store or open_store()
    return of_records(kept, [record for run in _runs(kept, runs)
                             for record in compute.records(kept, run, **filters)])  # type: ignore[arg-type]


def pairs(rows: Sequence[Item], columns: Sequence[Item], measure: Measure, protocol: Protocol, *,
          store: Store | None = None) -> pd.DataFrame:
    """A stored comparison, a row for each pair: both sides in full with the suffixes _a and _b, value, interval, chance
    and p.

    Raises ExplorerError where it has not been computed.
    """
    from analysis.export import matrix_records  # with plotly, which the other table does not need
    found = similarity.matrix(store or open_store(), rows, columns, measure, protocol)
    if found is None:
        raise ExplorerError(f"{measure.name} of these {len(rows)} x {len(columns)} pairs is not computed on "
                            f"{protocol.probe.name}, rows {protocol.rows}; run: python -m analysis compare")
    left, right = (summaries.item_records(items, protocol) for items in (rows, columns))
    return pd.DataFrame(matrix_records(found, left, right, measure))


def of_records(store: Store, records: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """The scalars among what `analysis.compute.records` gives, in COLUMNS."""
    losses: dict[RepresentationKey, float | None] = {}
    rows = [_row(store, record, losses) for record in records if not isinstance(record["value"], list)]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def _row(store: Store, record: dict[str, Any], losses: dict[RepresentationKey, float | None]) -> dict[str, Any]:
    protocol = record["protocol"]
    key = RepresentationKey(record["fingerprint"], protocol["probe"], protocol["policy"], protocol["dtype"])
    if key not in losses:
        losses[key] = (store.representation_facts(key) or {}).get("loss")
    return {**record, "version": protocol["measure_version"], "params": json.dumps(protocol["params"], sort_keys=True),
            "probe": protocol["probe"], "rows": protocol["policy"], "dtype": protocol["dtype"], "loss": losses[key]}


def _runs(store: Store, asked: Sequence[str | Run] | str | Run | None) -> list[Run]:
    if asked is None:
        return known_runs(store)[0]
    several = [asked] if isinstance(asked, (str, Run)) else asked
    return [one if isinstance(one, Run) else find_run(store, one) for one in several]
