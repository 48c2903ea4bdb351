"""Joins registry, store and representations: the only way a page or the command line gets a number.

Reading never computes; `sweep` and `compare` compute what is missing, in a worker process.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from analysis import registry
from analysis.batches import Stored
from analysis.checkpoints import activations
from analysis.errors import ExplorerError
from analysis.evaluate import evaluate, pair_matrix
from analysis.files import collector_paused
from analysis.keys import SCHEMA_VERSION, Checkpoint, MatrixKey, RepresentationKey, ResultKey, Run, site_order
from analysis.measure import Measure
from analysis.representations import Extraction, Protocol, Report, silent
from analysis.results import PairMatrix, Panel, Scalar
from analysis.store import Representation, Store

Settings = dict[str, dict[str, int]]
MOST_NAMED = 3
PROBE_LOSS = "loss on the probe (nats/token)"


# --- reading ---


def protocols(store: Store, runs: Sequence[Run]) -> list[tuple[str, str, str]]:
    """Every (probe, policy, precision) that any checkpoint of these runs has results for."""
    keys = {(key.probe, key.policy, key.dtype) for run in runs for checkpoint in run.checkpoints
            for key in store.representations_of(checkpoint.fingerprint)}
    return sorted(keys)


def records(store: Store, run: Run, *, probe: str | None = None, policy: str | None = None,
            dtype: str | None = None, measure: str | None = None, site: str | None = None,
            settings: Settings | None = None) -> list[dict[str, Any]]:
    """One record per stored value of a run, in order of step, site and measure. Filters that are None let all through.

    `probe` is a probe's identity. With `settings`, a measure it names is shown at those parameters only.
    """
    found: list[dict[str, Any]] = []
    said: dict[Any, dict[str, Any]] = {}
    with collector_paused():
        for checkpoint in run.checkpoints:
            for key in store.representations_of(checkpoint.fingerprint):
                if probe in (None, key.probe) and policy in (None, key.policy) and dtype in (None, key.dtype):
                    kept = [item for item in store.results(key).values() if measure in (None, item.key.measure)
                            and site in (None, item.key.site) and _current(item.key, settings or {})]
                    kept.sort(key=lambda item: (site_order(item.key.site), item.key.measure))
                    found += [_as_record(checkpoint, key, item, said) for item in kept]
    return found


def losses(store: Store, run: Run, protocol: Protocol) -> list[dict[str, Any]]:
    """Language-model loss on the probe, and the other facts recorded with each representation of a run."""
    facts = ((checkpoint, store.representation_facts(protocol.key(checkpoint))) for checkpoint in run.checkpoints)
    return [{**f, "run": run.name, "step": c.step, "tokens": c.tokens, "revision": c.revision} for c, f in facts if f]


def sites(store: Store, runs: Sequence[Run], protocol: Protocol) -> list[str]:
    """Every site that any checkpoint of these runs has been measured at."""
    return sorted({site for run in runs for c in run.checkpoints for site in sites_of(store, c, protocol)},
                  key=site_order)


def sites_of(store: Store, checkpoint: Checkpoint, protocol: Protocol) -> list[str]:
    """The sites of one checkpoint, or none while it has not been extracted."""
    return (store.representation_facts(protocol.key(checkpoint)) or {"sites": []})["sites"]


def beside(store: Store, runs: Sequence[Run], protocol: Protocol, quantity: str) -> Panel:
    """What stands below a trajectory: the loss on the probe, or a column of the runs' training logs."""
    if quantity != PROBE_LOSS:
        return Panel(quantity.replace("_", " "), [{"run": run.name, "step": int(row["step"]), "value": row[quantity],
                                                   "tokens": int(row["tokens"]) if "tokens" in row else None}
                                                  for run in runs for row in run.log if quantity in row])
    return Panel(PROBE_LOSS, [{**row, "value": row["loss"]} for run in runs for row in losses(store, run, protocol)
                              if row["loss"] is not None])


def quantities(runs: Sequence[Run]) -> list[str]:
    """What can stand below a trajectory of these runs, the one to watch first."""
    logged = list(dict.fromkeys(name for run in runs for name in (run.log[0] if run.log else {})))
    watched = [run.watch for run in runs if run.watch in logged]
    return list(dict.fromkeys([*watched, PROBE_LOSS, *(name for name in logged if name not in ("step", "tokens"))]))


def matrix(store: Store, rows: Sequence[tuple[Checkpoint, str]], columns: Sequence[tuple[Checkpoint, str]],
           measure: Measure, protocol: Protocol, params: dict[str, int] | None = None) -> PairMatrix | None:
    """The stored matrix of a pair measure, or None when it has not been computed."""
    return store.get_matrix(_matrix_key(rows, columns, measure, protocol, params))


def missing(store: Store, runs: Sequence[Run], protocol: Protocol, measures: Sequence[Measure],
            settings: Settings | None = None) -> int:
    """How many checkpoints a sweep of single-representation measures would have to work on."""
    return sum(wanted(store, c, protocol, measures, settings) for run in runs for c in run.checkpoints)


def wanted(store: Store, checkpoint: Checkpoint, protocol: Protocol, measures: Sequence[Measure],
           settings: Settings | None = None) -> bool:
    """Whether anything of these measures is missing for a checkpoint."""
    return _wanted(store, protocol.key(checkpoint), measures, settings or {}) != []


# --- computing ---


def sweep(store: Store, runs: Sequence[Run], protocol: Protocol, measures: Sequence[Measure],
          settings: Settings | None = None, report: Report = silent,
          say: Callable[[str], None] = lambda sentence: None) -> int:
    """Compute what is missing of these measures for every checkpoint; returns how many needed work.

    What another process works on comes last and is not computed twice. Checkpoints that cannot be read are left to the
    end too: the ExplorerError that names them is raised when all others are done.
    """
    checkpoints = [checkpoint for run in runs for checkpoint in run.checkpoints]
    todo = [c for c in checkpoints if wanted(store, c, protocol, measures, settings)]
    worked, failures = 0, dict[str, str]()
    elsewhere: list[Checkpoint] = []
    with Extraction(store, checkpoints, protocol) as extraction:
        for waits, chosen in ((False, todo), (True, elsewhere)):
            for checkpoint in chosen:
                title = f"{checkpoint.run} {checkpoint.revision}"
                finished = len(checkpoints) - len(todo) + worked + len(failures)

                def inner(done: float, total: float, message: str, at: int = finished, title: str = title) -> None:
                    report(at + min(done / total, 1.0), len(checkpoints), f"{title}: {message}")
                with store.claimed(protocol.key(checkpoint).digest, wait=waits, report=inner) as mine:
                    if not mine:
                        elsewhere.append(checkpoint)
                        continue
                    try:
                        worked += _measure(extraction, checkpoint, measures, settings or {}, inner, say)
                    except ExplorerError as error:
                        failures[title] = str(error)
                        say(f"{title}: {error}")
    report(len(checkpoints), len(checkpoints), "done")
    if failures:
        raise ExplorerError(_told(failures, len(checkpoints)))
    return worked


def _measure(extraction: Extraction, checkpoint: Checkpoint, measures: Sequence[Measure], settings: Settings,
             report: Report, say: Callable[[str], None]) -> int:
    """What is missing of these measures for one checkpoint, stored as one batch; 1 if it was anything."""
    store, protocol = extraction.store, extraction.protocol
    if not wanted(store, checkpoint, protocol, measures, settings):
        return 0  # another process was here first
    report(0, 1, "reading rows")
    representation = extraction.ensure(checkpoint, report)
    keys = _wanted(store, protocol.key(checkpoint), measures, settings) or []
    start = time.perf_counter()
    results: list[Stored] = []
    for site in representation.rows:
        report(1, 1, f"measuring {site}")
        results += evaluate(representation, site, [key for key in keys if key.site == site])
    if results:
        store.put_results(results)
    parts = filter(None, [extraction.timing, f"measures {time.perf_counter() - start:.2f} s"])
    say(f"{checkpoint.run} {checkpoint.revision}: {', '.join(parts)}")
    return 1


def compare(store: Store, rows: Sequence[tuple[Checkpoint, str]], columns: Sequence[tuple[Checkpoint, str]],
            measure: Measure, protocol: Protocol, params: dict[str, int] | None = None,
            report: Report = silent) -> PairMatrix:
    """A pair measure between every row item and every column item, computed unless stored."""
    key = _matrix_key(rows, columns, measure, protocol, params)
    stored = store.get_matrix(key)
    if stored is not None:
        return stored
    items = list(dict.fromkeys([*rows, *columns]))
    checkpoints = list(dict.fromkeys(checkpoint for checkpoint, _ in items))
    arrays: dict[tuple[Checkpoint, str], np.ndarray] = {}
    ids: tuple[str, ...] = ()
    with Extraction(store, checkpoints, protocol) as extraction:
        for number, checkpoint in enumerate(checkpoints):
            report(number, len(checkpoints) + 1, f"{checkpoint.run} {checkpoint.revision}")
            with store.claimed(protocol.key(checkpoint).digest, wait=True):
                representation = extraction.ensure(checkpoint)
            ids = _same_rows(ids, representation, checkpoint)
            for item in items:
                if item[0] == checkpoint:
                    arrays[item] = _rows_of(representation, checkpoint, item[1])
    report(len(checkpoints), len(checkpoints) + 1, f"{len(rows)} x {len(columns)} pairs")
    result = pair_matrix([arrays[item] for item in rows], [arrays[item] for item in columns], measure, params or {})
    store.put_matrix(key, result)
    report(1, 1, "done")
    return result


# --- parts ---


def _told(failures: dict[str, str], total: int) -> str:
    """What could not be computed and why, each reason once."""
    reasons = list(dict.fromkeys(failures.values()))
    if len(failures) == total:
        return " ".join(reasons[:MOST_NAMED])
    told = [f"{', '.join([n for n in failures if failures[n] == r][:MOST_NAMED])}: {r}" for r in reasons[:MOST_NAMED]]
    return (f"{len(failures)} of {total} checkpoints could not be computed, and the others are done. {' '.join(told)}"
            f"{' More are in the log.' if len(reasons) > MOST_NAMED else ''}")


def _result_key(representation: RepresentationKey, site: str, measure: Measure, settings: Settings) -> ResultKey:
    params = measure.settings(settings.get(measure.name))
    return ResultKey(representation, site, measure.name, measure.version, tuple(sorted(params.items())))


def _wanted(store: Store, representation: RepresentationKey, measures: Sequence[Measure],
            settings: Settings) -> list[ResultKey] | None:
    """Keys without a stored result; None while the representation itself is unknown."""
    facts = store.representation_facts(representation)
    if facts is None:
        return None
    have = store.results(representation)
    keys = [_result_key(representation, site, measure, settings) for site in facts["sites"] for measure in measures
            if measure.arity == 1]
    return [key for key in keys if key not in have]


def _matrix_key(rows: Sequence[tuple[Checkpoint, str]], columns: Sequence[tuple[Checkpoint, str]], measure: Measure,
                protocol: Protocol, params: dict[str, int] | None) -> MatrixKey:
    settings = tuple(sorted(measure.settings(params).items()))
    return MatrixKey(tuple((protocol.key(checkpoint), site) for checkpoint, site in rows),
                     tuple((protocol.key(checkpoint), site) for checkpoint, site in columns),
                     measure.name, measure.version, settings)


def _rows_of(representation: Representation, checkpoint: Checkpoint, site: str) -> np.ndarray:
    if site not in representation.rows:
        raise ExplorerError(f"{checkpoint.run} {checkpoint.revision} has no site {site!r}; it has "
                            f"{', '.join(sorted(representation.rows, key=site_order))}.")
    return representation.rows[site]


def _same_rows(ids: tuple[str, ...], representation: Representation, checkpoint: Checkpoint) -> tuple[str, ...]:
    if ids and ids != representation.row_ids and checkpoint.path.startswith(activations.PREFIX):
        raise ExplorerError(f"The rows of {checkpoint.run} {checkpoint.revision} are not those of the others "
                            f"({len(representation.row_ids)} and {len(ids)} rows): give all files the same ids, in the "
                            "same order.")
    if ids and ids != representation.row_ids:
        raise ExplorerError(f"The rows of {checkpoint.run} {checkpoint.revision} are not those of the others "
                            f"({len(representation.row_ids)} and {len(ids)} rows): different tokenizers cut the texts "
                            "differently. Use the token policy last or mean, which give one row per text.")
    return representation.row_ids


def _current(key: ResultKey, settings: Settings) -> bool:
    """Whether a stored result is of a measure as it is now, at the asked parameters."""
    known = registry.all_measures().get(key.measure)
    if known is None or (known.version, SCHEMA_VERSION) != (key.version, key.schema):
        return False
    return key.measure not in settings or dict(key.params) == known.settings(settings[key.measure])


def _as_record(checkpoint: Checkpoint, key: RepresentationKey, stored: Stored,
               said: dict[Any, dict[str, Any]]) -> dict[str, Any]:
    """`said` holds the protocols there were already, which are the same object in all records that share one."""
    result, spoken = stored.result, (key.probe, key.policy, key.dtype, stored.key.version, stored.key.params)
    if spoken not in said:
        said[spoken] = {"probe": key.probe, "policy": key.policy, "dtype": key.dtype,
                        "measure_version": stored.key.version, "params": dict(stored.key.params)}
    record: dict[str, Any] = {"run": checkpoint.run, "revision": checkpoint.revision, "step": checkpoint.step,
              "tokens": checkpoint.tokens, "site": stored.key.site, "measure": stored.key.measure,
              "value": None, "low": None, "high": None, "n": stored.n, "d": stored.d,
              "protocol": said[spoken],
              "fingerprint": checkpoint.fingerprint, "reason": result.reason, "source": checkpoint.source}
    if isinstance(result, Scalar):
        record.update(value=result.value if result.defined else None, low=result.low, high=result.high,
                      chance=result.chance)
    else:
        record.update(value=result.values.tolist(), chance=None)
    return record
