"""Tables and sentences made from stored results: what the overview, the downloads and the captions say."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from analysis import compute, registry
from analysis.checkpoints.headers import Tensor
from analysis.checkpoints.preflight import Report
from analysis.compute import Protocol
from analysis.estimates import duration, forward_s
from analysis.extraction.probes import AS_GIVEN, Probe
from analysis.inference.shares import is_shares
from analysis.keys import Checkpoint, Run
from analysis.results import FittedSpectrum
from analysis.store import Store

PROCEDURES = {  # of a spectrum, as a methods section says it
    "power law": r"Exponents are of power laws, fitted to the eigenvalues \cite{agrawal2022alpha}.",
    "broken power law": r"Exponents are of power laws \cite{agrawal2022alpha}, and of power laws with one break "
                        r"\cite{pospisil2025revisiting}, fitted to the eigenvalues."}


def headline(runs: Sequence[Run], records: Sequence[dict[str, Any]],
             facts: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """For each run with defined values: the last, the lowest, the path between and a sentence that says so."""
    rows = []
    for run in runs:
        series = [record for record in records if record["run"] == run.name and record["value"] is not None]
        if not series:
            continue
        first, last, low = series[0], series[-1], min(series, key=lambda record: record["value"])
        own = [fact["loss"] for fact in facts if fact["run"] == run.name and fact["loss"] is not None]
        losses = [] if run.watch else own  # a run that names another quantity to watch is not about its loss
        sentence = f"{first['value']:.1f} at {first['revision']}, lowest {low['value']:.1f} at {low['revision']}, " \
                   f"{last['value']:.1f} at {last['revision']} (d = {last['d']})."
        if losses:
            sentence += f" Loss {losses[0]:.2f} to {losses[-1]:.2f} nats/token."
        rows.append({"run": run.name, "last": f"{last['value']:.1f}", "lowest_at": low["revision"],
                     "change": f"{last['value'] - low['value']:+.1f} since {low['revision']}", "sentence": sentence})
    return rows


def loaded(store: Store, runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Every run in a row: its extent, and what its checkpoints have results for."""
    rows = []
    for run in runs:
        known = [key for c in run.checkpoints for key in store.representations_of(c.fingerprint)
                 if not is_shares(key.policy)]
        done = Counter(", ".join([key.probe.split("@")[0], key.policy, *{key.dtype} - {"float32"}]) for key in known)
        rows.append({"run": run.name, "checkpoints": len(run.checkpoints), "first": run.checkpoints[0].revision,
                     "last": run.checkpoints[-1].revision,
                     "computed on": "; ".join(f"{name}: {count}" for name, count in done.items()) or "nothing yet",
                     "folder": run.source})
    return rows


def axes(runs: Sequence[Run]) -> list[str]:
    """What training can be counted in, the first to show: steps and tokens, or the names of stages without steps."""
    counted = any(checkpoint.step is not None for run in runs for checkpoint in run.checkpoints)
    staged = any(len(run.checkpoints) > 1 and run.checkpoints[0].step is None for run in runs)
    return [*(["step", "tokens"] if counted or not staged else []), *(["revision"] if staged else [])]


def preflight(run: Run, probe: Probe, reports: Sequence[Report]) -> list[dict[str, Any]]:
    """One row for each checkpoint: what its files are, whether they are fit to load, and what a probe would cost."""
    rows = []
    for checkpoint, report in zip(run.checkpoints, reports, strict=True):
        timed = probe.kind == "text" and report.parameters
        rows.append({
            "checkpoint": checkpoint.revision, "step": checkpoint.step, "tokens": checkpoint.tokens,
            "verdict": "refused" if report.refusals else "fit to load", "kind": report.model_type,
            "architecture": report.architecture, "blocks": report.blocks, "width": report.width, "rows": report.rows,
            "parameters": report.parameters or None, "tensors": report.tensors,
            "types": ", ".join(sorted(report.dtypes)), "files": len(report.files), "MB": report.size / 1e6,
            "memory GB": report.memory_bytes / 1e9 or None, "tokenizer": report.tokenizer,
            "forward pass": duration(forward_s(report.parameters, probe)) if timed else None,
            "reasons": " ".join(report.refusals) or None, "fingerprint": checkpoint.fingerprint[:12]})
    told = [name for name in rows[0] if any(row[name] is not None for row in rows)]
    return [{name: row[name] for name in told} for row in rows]


def tensors(found: Sequence[Tensor]) -> list[dict[str, Any]]:
    """Name, type and shape of each tensor of a checkpoint, from the headers of its files."""
    return [{"tensor": t.name, "type": t.dtype, "shape": " × ".join(map(str, t.shape)) or "scalar", "values": t.count}
            for t in found]


def number(record: dict[str, Any]) -> str:
    """The value of a record with its interval, or why there is none."""
    if record["value"] is None:
        return f"undefined, because {record['reason']}"
    interval = "" if record["low"] is None else f" [{record['low']:.4g}, {record['high']:.4g}]"
    return f"{record['value']:.4g}{interval}"


def spectrum_records(spectra: Sequence[FittedSpectrum], site: str, protocol: Protocol,
                     checkpoints: Sequence[Checkpoint]) -> list[dict[str, Any]]:
    """One record per eigenvalue, with the fits and the eigenvalue of isotropic noise beside it."""
    prints, same = {(c.run, c.revision): c.fingerprint for c in checkpoints}, described(protocol)
    return [{"run": s.run, "revision": s.revision, "site": site, "measure": "covariance_eigenspectrum",
             "procedure": "broken power law" if s.bend else "power law", "rank": rank, "eigenvalue": float(value),
             "noise_eigenvalue": None if s.noise is None or rank > len(s.noise) else float(s.noise[rank - 1]),
             "alpha": s.alpha, "head_alpha": s.bend and s.bend.head_alpha, "tail_alpha": s.bend and s.bend.tail_alpha,
             "break_rank": s.bend and s.bend.break_rank, "fit_first_rank": s.window[0], "fit_last_rank": s.window[1],
             "n": s.n, "d": len(s.values), "protocol": same, "fingerprint": prints[s.run, s.revision]}
            for s in spectra for rank, value in enumerate(s.values, 1)]


def item_records(items: Sequence[tuple[Checkpoint, str]], protocol: Protocol) -> list[dict[str, Any]]:
    """Each side of a pair comparison, named in full."""
    return [{"run": c.run, "revision": c.revision, "step": c.step, "site": site, "fingerprint": c.fingerprint,
             "protocol": described(protocol)} for c, site in items]


def pair_caption(store: Store, items: Sequence[tuple[Checkpoint, str]], protocol: Protocol) -> str:
    """Rows, texts and token policy of a comparison; matches.sureness says how sure its cells are."""
    facts = next((f for c, _ in items if (f := store.representation_facts(protocol.key(c)))), {"n": "?"})
    return f"n = {facts['n']} rows, matched by id. {spoken(protocol)}"


def described(protocol: Protocol) -> dict[str, str]:
    return {"probe": protocol.probe.identity, "policy": protocol.rows, "dtype": protocol.dtype}


def spoken(protocol: Protocol) -> str:
    """The protocol as a sentence of a caption."""
    if protocol.probe.name == AS_GIVEN:
        return "Rows as they came with the run, in float32."
    return f"Probe {protocol.probe.identity}, rows: {protocol.policy}, {protocol.dtype} forward pass."


def unfinished(store: Store, runs: Sequence[Run], protocol: Protocol) -> int:
    """How many checkpoints lack any single-representation measure at its default setting."""
    return compute.missing(store, runs, protocol, registry.usual())
