"""Joins registry, store and representations: the only way a page or the command line gets a number.

Reading never computes; `sweep` computes what is missing, in a worker process. Pairs are similarity.py's.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

from analysis import registry
from analysis.batches import Asked, Stored
from analysis.errors import ExplorerError
from analysis.evaluate import evaluate
from analysis.files import collector_paused
from analysis.inference.shares import is_shares
from analysis.keys import SCHEMA_VERSION, Checkpoint, RepresentationKey, ResultKey, Run, site_order
from analysis.measure import Measure
from analysis.representations import Extraction, Protocol, Report, silent
from analysis.results import Panel, Scalar
from analysis.store import Store

Settings = dict[str, dict[str, int]]
MOST_NAMED = 3
PROBE_LOSS = "loss on the probe (nats/token)"


# --- reading ---


def protocols(store: Store, runs: Sequence[Run]) -> list[tuple[str, str, str]]:
    """Every (probe, policy, precision) that any checkpoint of these runs has results for, on all of the documents."""
    keys = {(key.probe, key.policy, key.dtype) for run in runs for checkpoint in run.checkpoints
            for key in store.representations_of(checkpoint.fingerprint) if not is_shares(key.policy)}
    return sorted(keys)


def records(store: Store, run: Run, *, probe: str | None = None, policy: str | None = None,
            dtype: str | None = None, measure: str | None = None, site: str | None = None,
            settings: Settings | None = None) -> list[dict[str, Any]]:
    """One record per stored value of a run, in order of step, site and measure. Filters that are None let all through,
    but values on shares of the documents come only where their policy is named.

    `probe` is a probe's identity. With `settings`, a measure it names is shown at those parameters only.
    """
    found: list[dict[str, Any]] = []
    said: dict[Any, dict[str, Any]] = {}
    with collector_paused():
        for checkpoint in run.checkpoints:
            for key in store.representations_of(checkpoint.fingerprint):
                asked = policy == key.policy or (policy is None and not is_shares(key.policy))
                if asked and probe in (None, key.probe) and dtype in (None, key.dtype):
                    kept = [item for item in store.results(key, measure).values()
                            if site in (None, item.key.site) and _current(item.key, settings or {})]
                    kept.sort(key=lambda item: (site_order(item.key.site), item.key.measure))
                    found += [as_record(checkpoint, key, item, said) for item in kept]
    return found


def of_checkpoint(store: Store, checkpoint: Checkpoint, protocol: Protocol, measure: Measure,
                  settings: Settings | None = None) -> list[dict[str, Any]]:
    """The records of a measure at every site of one checkpoint, at the settings asked for or else the usual ones."""
    asked = {measure.name: (settings or {}).get(measure.name, {})}
    return records(store, Run(checkpoint.run, "", (checkpoint,)), probe=protocol.probe.identity, policy=protocol.rows,
                   dtype=protocol.dtype, measure=measure.name, settings=asked)


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


def missing(store: Store, runs: Sequence[Run], protocol: Protocol, measures: Sequence[Measure],
            settings: Settings | None = None) -> int:
    """How many checkpoints a sweep of single-representation measures would have to work on."""
    asked = _asked(measures, settings or {})
    return sum(_wanted(store, protocol.key(c), asked) != [] for run in runs for c in run.checkpoints)


def wanted(store: Store, checkpoint: Checkpoint, protocol: Protocol, measures: Sequence[Measure],
           settings: Settings | None = None) -> bool:
    """Whether anything of these measures is missing for a checkpoint."""
    return _wanted(store, protocol.key(checkpoint), _asked(measures, settings or {})) != []


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
    keys = _wanted(store, protocol.key(checkpoint), _asked(measures, settings)) or []
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


# --- parts ---


def _told(failures: dict[str, str], total: int) -> str:
    """What could not be computed and why, each reason once."""
    reasons = list(dict.fromkeys(failures.values()))
    if len(failures) == total:
        return " ".join(reasons[:MOST_NAMED])
    told = [f"{', '.join([n for n in failures if failures[n] == r][:MOST_NAMED])}: {r}" for r in reasons[:MOST_NAMED]]
    return (f"{len(failures)} of {total} checkpoints could not be computed, and the others are done. {' '.join(told)}"
            f"{' More are in the log.' if len(reasons) > MOST_NAMED else ''}")


def _asked(measures: Sequence[Measure], settings: Settings) -> list[Asked]:
    """What a sweep of measures of single representations asks for at every site."""
    return [(measure.name, measure.version, tuple(sorted(measure.settings(settings.get(measure.name)).items())),
             SCHEMA_VERSION) for measure in measures if measure.arity == 1]


def _wanted(store: Store, representation: RepresentationKey, asked: Sequence[Asked]) -> list[ResultKey] | None:
    """Keys without a stored result; None while the representation itself is unknown."""
    facts = store.representation_facts(representation)
    if facts is None:
        return None
    batches = store.batches(representation)
    have = {one: frozenset().union(*(batch.sites(one) for batch in batches)) for one in asked}
    return [ResultKey(representation, site, *one) for site in facts["sites"] for one in asked if site not in have[one]]


def _current(key: ResultKey, settings: Settings) -> bool:
    """Whether a stored result is of a measure as it is now, at the asked parameters."""
    known = registry.all_measures().get(key.measure)
    if known is None or (known.version, SCHEMA_VERSION) != (key.version, key.schema):
        return False
    return key.measure not in settings or dict(key.params) == known.settings(settings[key.measure])


def as_record(checkpoint: Checkpoint, key: RepresentationKey, stored: Stored,
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
