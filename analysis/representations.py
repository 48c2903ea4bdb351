"""The rows of a checkpoint on a probe: from the store, from a file that came with the run, or by a forward pass."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from analysis.checkpoints import activations
from analysis.checkpoints.fetching import Fetching
from analysis.errors import ExplorerError
from analysis.extraction.probes import AS_GIVEN, Probe
from analysis.keys import Checkpoint, Policy, RepresentationKey
from analysis.outliers import outlier_signature
from analysis.store import Representation, Store

Report = Callable[[float, float, str], None]


def silent(done: float, total: float, message: str) -> None: ...


@dataclass(frozen=True)
class Protocol:
    """What every number of one comparison shares: the texts and which of their tokens become rows."""

    probe: Probe
    policy: Policy

    @property
    def rows(self) -> str:
        """Which rows: the token policy, or `as given` where they came with the run."""
        return "as given" if self.probe.name == AS_GIVEN else str(self.policy)

    def key(self, checkpoint: Checkpoint) -> RepresentationKey:
        return RepresentationKey(checkpoint.fingerprint, self.probe.identity, self.rows)


def ensure(store: Store, checkpoint: Checkpoint, protocol: Protocol, report: Report = silent,
           fetching: Fetching | None = None) -> Representation:
    """The representation of a checkpoint, extracted and stored when it is not there yet."""
    key = protocol.key(checkpoint)
    stored = store.get_representation(key)
    if stored is None:
        if checkpoint.path.startswith(activations.PREFIX) != (protocol.probe.name == AS_GIVEN):
            raise ExplorerError(f"{checkpoint.run} cannot be read on the probe {protocol.probe.name}: rows that came "
                                f"with a run have the probe {AS_GIVEN}, and models need a probe of texts.")
        if checkpoint.path.startswith(activations.PREFIX):
            extracted = activations.read_rows(Path(checkpoint.path.removeprefix(activations.PREFIX)))
        else:
            extracted = _extracted(store, checkpoint, protocol, report, fetching)
        facts: dict[str, Any] = {"outliers": {site: outlier_signature(rows) for site, rows in extracted.rows.items()}}
        if checkpoint.source:
            facts["source"] = checkpoint.source
        stored = replace(extracted, facts={**extracted.facts, **facts})
        store.put_representation(key, stored)
    return stored


def _extracted(store: Store, checkpoint: Checkpoint, protocol: Protocol, report: Report,
               fetching: Fetching | None) -> Representation:
    from analysis.checkpoints.load import load  # torch is loaded only when weights are needed
    from analysis.extraction.forward import extract
    with (fetching or fetching_for(store, [checkpoint], protocol)).at(checkpoint, report) as folder:
        report(0, 1, "loading weights")
        return extract(load(folder), protocol.probe, protocol.policy,
                       lambda done, total: report(done, total, f"forward pass, text {done} of {total}"))


def fetching_for(store: Store, checkpoints: Sequence[Checkpoint], protocol: Protocol) -> Fetching:
    """Folders for those checkpoints that a forward pass is still needed of, each content once."""
    needed = {c.fingerprint: c for c in reversed(checkpoints) if store.representation_facts(protocol.key(c)) is None}
    return Fetching(store.downloads, [c for c in checkpoints if needed.get(c.fingerprint) is c])
