"""The store with the results of a long run in it, and how soon a job is cancelled."""

import os
import statistics
import tempfile
import time
from pathlib import Path

from analysis import compute, registry
from analysis.batches import Stored
from analysis.extraction.probes import Probe, Text
from analysis.jobs import job
from analysis.keys import Checkpoint, Policy, ResultKey, Run
from analysis.representations import Protocol
from analysis.results import Scalar
from analysis.store import Store
from benchmarks.timing import seconds

CHECKPOINTS, SITES, MEASURES = 154, 25, 20
LISTED_S, CANCELLED_S = 1.0, 2.0


def listing() -> list[dict]:
    """Every value of a run of 154 checkpoints x 25 sites x 20 measures, by a process that has read none of it."""
    protocol = Protocol(Probe("words", (Text("a", "a", "x"),)), Policy.parse("last"))
    run = Run("long", "/", tuple(Checkpoint("long", f"step{k}", k, k, "/", f"{k:064x}") for k in range(CHECKPOINTS)))
    names = [m for m in registry.all_measures().values() if m.arity == 1 and m.returns == "scalar"]
    with tempfile.TemporaryDirectory() as folder:
        writer = Store(folder)
        for checkpoint in run.checkpoints:
            key = protocol.key(checkpoint)
            writer.put_results([
                Stored(key=ResultKey(key, f"block {site}", names[k % len(names)].name, names[k % len(names)].version,
                                     (("k", k),)), result=Scalar(value=k + site / 7, low=0.0, high=99.0), n=1000, d=512)
                for site in range(SITES) for k in range(MEASURES)])
        found: list = []

        def cold() -> None:
            found[:] = compute.records(Store(folder), run)

        cold_s = statistics.median(seconds(cold) for _ in range(5))
        assert len(found) == CHECKPOINTS * SITES * MEASURES
        warm = Store(folder)
        compute.records(warm, run)
        warm_s = statistics.median(seconds(lambda: compute.records(warm, run, measure=names[0].name, site="block 3"))
                                   for _ in range(5))
    what = f"{CHECKPOINTS} checkpoints x {SITES} sites x {MEASURES} measures"
    return [{"name": f"seconds to list {what}, nothing read before", "value": cold_s, "bar": LISTED_S,
             "better": "lower", "peer": "none", "n": len(found)},
            {"name": "seconds to list one measure at one site of it again", "value": warm_s, "bar": 0.1,
             "better": "lower", "peer": "none", "n": CHECKPOINTS}]


def cancel() -> dict:
    """From the click to the end of the worker, in the middle of a forward pass."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["EXPLORER_CACHE"] = folder
        took = []
        for turn in range(3):
            command = ["sweep", "sotu-neox-seed1", "--policy", f"every-{20 + turn}"]
            started = job.start(Path(folder) / "jobs", command, "bench")
            while "forward pass" not in (now := job.read(started.folder)).message and now.active:
                time.sleep(0.02)
            took.append(seconds(lambda started=started: job.cancel(started)))
            assert job.read(started.folder).state == "cancelled"
        del os.environ["EXPLORER_CACHE"]
    return {"name": "seconds to cancel a job in a forward pass", "value": max(took), "bar": CANCELLED_S,
            "better": "lower", "peer": "none", "n": len(took)}
