"""The rows of a checkpoint on a probe: from the store, from a file that came with the run, or by a forward pass."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from analysis.checkpoints import activations
from analysis.checkpoints.fetching import Fetching
from analysis.checkpoints.folder import fingerprint
from analysis.errors import ExplorerError
from analysis.extraction.probes import AS_GIVEN, Probe
from analysis.keys import Checkpoint, Policy, RepresentationKey
from analysis.outliers import outlier_signature
from analysis.store import Representation, Store

Report = Callable[[float, float, str], None]


def silent(done: float, total: float, message: str) -> None: ...


@dataclass(frozen=True)
class Protocol:
    """What every number of one comparison shares: the texts, which of their tokens become rows, and the precision of
    the forward pass."""

    probe: Probe
    policy: Policy
    dtype: str = "float32"

    @property
    def rows(self) -> str:
        """Which rows: the token policy, or `as given` where they came with the run."""
        return "as given" if self.probe.name == AS_GIVEN else str(self.policy)

    def key(self, checkpoint: Checkpoint) -> RepresentationKey:
        return RepresentationKey(checkpoint.fingerprint, self.probe.identity, self.rows, self.dtype)


class Extraction:
    """Forward passes over the checkpoints of one sweep: each content once, weights fetched ahead of the one in work,
    the network built once as long as only its weights differ. Use as a context."""

    def __init__(self, store: Store, checkpoints: Sequence[Checkpoint], protocol: Protocol):
        self.store, self.protocol = store, protocol
        missing = [c for c in checkpoints if store.representation_facts(protocol.key(c)) is None]
        self.fetching = Fetching(store.downloads, list({c.fingerprint: c for c in reversed(missing)}.values())[::-1])
        self.loader: Any = None
        self.timing = ""  # of the last forward pass, in words

    def __enter__(self) -> "Extraction":
        return self

    def __exit__(self, *reason: object) -> None:
        self.fetching.__exit__(*reason)

    def ensure(self, checkpoint: Checkpoint, report: Report = silent) -> Representation:
        """The representation of a checkpoint, extracted and stored when it is not there yet."""
        key, self.timing = self.protocol.key(checkpoint), ""
        stored = self.store.get_representation(key)
        return stored or self._put(key, checkpoint, self._rows(checkpoint, report))

    def _put(self, key: RepresentationKey, checkpoint: Checkpoint, found: Representation) -> Representation:
        facts: dict[str, Any] = {"outliers": {site: outlier_signature(rows) for site, rows in found.rows.items()}}
        if checkpoint.source:
            facts["source"] = checkpoint.source
        found = replace(found, facts={**found.facts, **facts})
        self.store.put_representation(key, found)
        return found

    def _rows(self, checkpoint: Checkpoint, report: Report) -> Representation:
        given = checkpoint.path.startswith(activations.PREFIX)
        if given != (self.protocol.probe.name == AS_GIVEN):
            raise ExplorerError(f"{checkpoint.run} cannot be read on the probe {self.protocol.probe.name}: rows that "
                                f"came with a run have the probe {AS_GIVEN}, and models need a probe of texts.")
        if given:  # read whole at once
            return activations.read_rows(Path(checkpoint.path.removeprefix(activations.PREFIX)))
        from analysis.checkpoints.loader import Loader  # torch is loaded only when weights are needed
        from analysis.extraction.forward import OUT_OF_MEMORY, extract
        self.loader = self.loader or Loader(self.protocol.dtype)
        with self.fetching.at(checkpoint, report) as folder:
            report(0, 1, "loading weights")
            try:
                loaded = self.loader.load(folder)
                start = time.perf_counter()
                found = extract(loaded, self.protocol.probe, self.protocol.policy,
                                lambda done, total: report(done, total, f"forward pass, text {done} of {total}"))
            except OUT_OF_MEMORY as error:
                raise ExplorerError(f"The memory of the card ran out for {checkpoint.run} {checkpoint.revision}; use a "
                                    "larger card or --dtype bfloat16.") from error
            if not checkpoint.source and fingerprint(folder) != checkpoint.fingerprint:
                raise ExplorerError(f"{folder} was written anew since this run was opened, so its rows cannot be told "
                                    "from those of the old weights; start again when it is finished.")
        how = " into the same network" if self.loader.swapped else ""
        self.timing = f"weights {self.loader.seconds:.2f} s{how}, forward pass {time.perf_counter() - start:.2f} s"
        return found


def ensure(store: Store, checkpoint: Checkpoint, protocol: Protocol, report: Report = silent) -> Representation:
    """The representation of a single checkpoint, extracted and stored when it is not there yet."""
    with Extraction(store, [checkpoint], protocol) as extraction:
        return extraction.ensure(checkpoint, report)
