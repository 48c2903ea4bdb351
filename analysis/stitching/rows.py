"""What is written down of a stitch: penalty, loss recovered, fit, shift and agreement, each with why it is missing."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from analysis import linear_maps
from analysis.errors import Undefined
from analysis.results import Scalar
from analysis.stitching.behaviour import Stitch, evaluate
from analysis.stitching.bench import WHOLE, Bench, Measured
from analysis.stitching.trained import train

SHARE = 0.95  # of the best, that a rank recovers
SCALARS = ("penalty", "recovered", "agreement", "loss")


def written(measured: Measured) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Record and arrays of one site of the sender: a row for every stitch, its replicates, and the rank curves."""
    rows, without, sizes = list[dict[str, Any]](), list[np.ndarray](), None
    for role, stitches in measured.stitches.items():
        for stitch in stitches:
            if stitch.name == "mean" and role != "sender":
                continue  # it knows nothing of its sender
            scalars = _scalars(measured, role, stitch)
            row = {"of": role, **_place(measured, role, stitch), **_told(scalars), **_fit(measured, role, stitch),
                   "uninformative": _uninformative(measured, role, stitch), "replicates": None}
            copies = scalars["penalty"].replicates
            if copies is not None:
                row["replicates"], sizes = len(without), copies.sizes
                without.append(copies.values)
            rows.append(row)
    for row in rows:
        row |= {"rank95_r2": None, "rank95_loss": None}
    curves = {target: curve for target in measured.targets if (curve := measured.curve(target)) is not None}
    _add_ranks(rows, curves)
    tensors = {f"r2 by rank: {target}": curve for target, curve in curves.items()}
    if sizes is not None:
        tensors |= {"penalty without": np.stack(without), "group sizes": sizes}
    losses = {role: _loss(measured, role) for role in ("sender", "receiver")}
    return {"source": measured.source, "targets": list(measured.targets), "facts": measured.facts | losses,
            "rows": rows}, tensors


def _place(measured: Measured, role: str, stitch: Stitch) -> dict[str, Any]:
    train, _ = measured.moments(role, (stitch.source, stitch.target))
    return {"source": stitch.source, "target": stitch.target, "map": stitch.name, "rank": stitch.map.rank,
            "n": train.n, "d": train.p, "d_target": train.q, "ridge_penalty": stitch.map.penalty or None,
            "too_few_rows": linear_maps.too_few_rows(train) if stitch.name not in ("mean", "identity") else ""}


def _scalars(measured: Measured, role: str, stitch: Stitch) -> dict[str, Scalar]:
    found, ablation = measured.outcomes[role], (stitch.source, stitch.target, "mean")
    return {"penalty": _tried(lambda: found.penalty(stitch.key)),
            "recovered": _tried(lambda: found.recovered(stitch.key, ablation)),
            "agreement": _tried(lambda: found.agreement(stitch.key)), "loss": _tried(lambda: found.loss(stitch.key))}


def _loss(measured: Measured, which: str) -> dict[str, Any]:
    return _told({"loss": _tried(lambda: measured.outcomes["sender"].loss(which))})


def _fit(measured: Measured, role: str, stitch: Stitch) -> dict[str, float | None]:
    """Held-out R2, and how far mapped states lie from the receiver's own; None where the target does not vary."""
    _, held = measured.moments(role, (stitch.source, stitch.target))
    try:
        r2, shift = linear_maps.held_out_r2(stitch.map, held), linear_maps.distribution_shift(stitch.map, held)
    except Undefined:
        return dict.fromkeys(("r2", "mean_distance", "covariance_distance", "variance_ratio"))
    return {"r2": r2, "mean_distance": shift.mean_distance, "covariance_distance": shift.covariance_distance,
            "variance_ratio": shift.variance_ratio}


def _uninformative(measured: Measured, role: str, stitch: Stitch) -> str:
    """Why a stitch of the sender says nothing: a sender that learned nothing passes it too."""
    random = measured.outcomes.get("random")
    if role != "sender" or stitch.name in ("mean", "shuffled") or random is None:
        return ""
    if random is measured.outcomes["sender"]:
        return "the sender is itself the untrained network that others are compared with"
    ablation = stitch.source, stitch.target, "mean"
    return measured.outcomes["sender"].uninformative(stitch.key, random, ablation)


def _add_ranks(rows: list[dict[str, Any]], curves: dict[str, np.ndarray]) -> None:
    """For each pair of the sender, the rank at which 95 % of the best held-out R2 and of the loss is recovered: of R2
    at every rank, of the loss among the ranks that were run."""
    for row in rows:
        if row["of"] != "sender" or row["map"] not in ("affine", "ridge"):
            continue
        curve = curves.get(row["target"])
        if curve is not None and curve.max() > 0:
            row["rank95_r2"] = int(np.argmax(curve >= SHARE * curve.max()))
        run = sorted((other["rank"], other["recovered"]) for other in rows
                     if other["of"] == "sender" and other["target"] == row["target"] and
                     (other is row or other["map"].startswith("reduced")) and other["recovered"] is not None)
        if row["recovered"] is not None and row["recovered"] > 0 and len(run) > 1:
            row["rank95_loss"] = next(rank for rank, share in run if share >= SHARE * row["recovered"])


def _tried(scalar: Callable[[], Scalar]) -> Scalar:
    try:
        return scalar()
    except Undefined as error:
        return Scalar.undefined(str(error))


def _told(scalars: dict[str, Scalar]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, scalar in scalars.items():
        found |= {name: scalar.value if scalar.defined else None, f"{name}_low": scalar.low,
                  f"{name}_high": scalar.high}
    return found | {"reason": next((scalar.reason for scalar in scalars.values() if scalar.reason), "")}


def trained(bench: Bench, pair: tuple[str, str], report: Callable[[float, float, str], None]) -> tuple[
        dict[str, Any], dict[str, np.ndarray]]:
    """Record and losses of a stitch trained on the task, beside the affine map it began at."""
    bench.gather([pair], lambda done, total: report(done / max(total, 1), 3, "moments of the pair"))
    sender = bench.networks["sender"]
    start = Stitch(*pair, "affine", linear_maps.affine(bench.gathered["sender"].whole.pair(pair)))
    texts = replace(bench.texts.fit, texts=(*bench.texts.fit.texts, *bench.texts.choose.texts))
    found = train(sender, bench.receiver, texts, start, first=bench.first, labels=bench.labels, seed=bench.seed,
                  progress=lambda done, total: report(1 + done / total, 3, f"training, step {done} of {total}"))
    mean = Stitch(*pair, "mean", linear_maps.mean(bench.gathered["sender"].whole.pair(pair)))
    stitches = {"sender": [start, Stitch(*pair, "trained", found.map), mean]}
    outcome = evaluate(sender, bench.receiver, bench.texts.held, stitches["sender"], first=bench.first,
                       labels=bench.labels, most=WHOLE, seed=bench.seed,
                       progress=lambda done, total: report(2 + done / total, 3, "held-out texts"))
    record, _ = written(Measured(bench, pair[0], (pair[1],), stitches, {"sender": outcome}))
    return record | {"warning": found.warning}, {"losses": np.array(found.losses)}
