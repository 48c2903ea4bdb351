"""The views that one person keeps."""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from analysis.errors import ExplorerError
from analysis.publishing.view import MOST_VIEWS, View, as_fields, of_fields
from analysis.store import Store


@dataclass(frozen=True)
class Shelf:
    """What is kept of an owner: views, each once, and the reports that were made of them."""

    store: Store
    owner: str

    @property
    def place(self) -> str:
        """The owner's folder, whose name does not tell who it is."""
        return hashlib.sha256(self.owner.encode()).hexdigest()[:32]

    @property
    def kind(self) -> str:
        return f"views/{self.place}"

    @property
    def reports(self) -> Path:
        """Where reports of this owner lie."""
        return self.store.reports / self.place

    def listed(self) -> list[tuple[View, float]]:
        """Every view and when it was saved, the newest first."""
        read = {id: self.store.get_record(self.kind, id) for id in self.store.record_names(self.kind)}
        found = [(of_fields(known[0]["view"], f"The saved view {id}"), float(known[0]["saved"]))
                 for id, known in read.items() if known]
        return sorted(found, key=lambda one: (-one[1], one[0].id))

    def has(self, view: View) -> bool:
        return self.store.has_record(self.kind, view.id)

    def save(self, view: View, saved: float | None = None) -> None:
        """Keep a view; one that shows the same is kept once, with the newer name and note.

        Raises ExplorerError where it cannot be kept: there are too many, or a field is too long.
        """
        of_fields(as_fields(view), "The view")
        if not self.has(view) and len(self.store.record_names(self.kind)) >= MOST_VIEWS:
            raise ExplorerError(f"{MOST_VIEWS} views are saved already; delete some on the page Saved views.")
        self.store.put_record(self.kind, view.id, {"view": as_fields(view), "saved": saved or time.time()}, {})

    def edit(self, view: View, name: str, note: str) -> None:
        """Another name and note for a view, which keeps its place in the list."""
        known = self.store.get_record(self.kind, view.id)
        self.save(replace(view, name=name.strip(), note=note.strip()), known[0]["saved"] if known else None)

    def forget(self, view: View) -> None:
        self.store.forget_record(self.kind, view.id)

    def add(self, views: Sequence[View]) -> tuple[list[View], list[View]]:
        """Take in what a colleague saved: the views that were new, and those that are here already and stay as they
        are."""
        new, known = list[View](), list[View]()
        for view in views:
            (known if self.has(view) else new).append(view)
            if view in new:
                self.save(view)
        return new, known
