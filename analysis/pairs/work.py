"""What a comparison of many pairs is given: items of two sides, the measure, and what belongs to the rows."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from analysis.errors import Undefined
from analysis.inference.jackknife import MIN_GROUPS, document_groups
from analysis.measure import Measure

Load = Callable[[], Float[np.ndarray, "n d"]]
Tensors = dict[str, np.ndarray]

BUDGET = 4_000_000_000  # bytes that the arrays of a comparison may take together
MOST_SHUFFLED = 400  # cells; beyond them fewer shuffles, and none where each pair is worked out by itself
MOST_REPLICATES = 30_000  # cells; beyond them replicates and shuffles would take most of the room


class Unsaved:
    """Keeps nothing of an unfinished comparison."""

    def load(self) -> Tensors | None:
        return None

    def save(self, tensors: Tensors) -> None: ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Work:
    """Every row item against every column item. An item is a function that reads its n x d rows; all have the same
    rows, whose documents are `documents`. `draws` is how often documents are shuffled for the null. What is finished
    goes to `saved` now and then, from where an interrupted comparison goes on."""

    rows: Sequence[Load]
    columns: Sequence[Load]
    measure: Measure
    settings: dict[str, int]
    documents: tuple[str, ...]
    draws: int = 0
    budget: int = BUDGET
    report: Callable[[float, float, str], None] = lambda done, total, message: None
    saved: Any = field(default_factory=Unsaved)

    @property
    def square(self) -> bool:
        """Whether both sides are the same items, so that a symmetric matrix comes out."""
        return self.rows is self.columns

    @property
    def groups(self) -> Int[np.ndarray, " n"] | None:
        """The group of documents of each row, or None where no interval comes of them: too few documents, too many
        cells, or a measure that has none."""
        cells = len(self.rows) * len(self.columns)
        if not self.measure.has_interval or cells > MOST_REPLICATES or len(set(self.documents)) < MIN_GROUPS:
            return None
        return document_groups(self.documents)


class Kept:
    """What is made of each item, for as long as it fits the budget; the others are made again when they are needed."""

    def __init__(self, loads: Sequence[Load], make: Callable[[np.ndarray], Any], budget: float):
        self.loads, self.make, self.room = loads, make, budget
        self.kept: dict[int, Any] = {}

    def __len__(self) -> int:
        return len(self.loads)

    def __getitem__(self, number: int) -> Any:
        """What `make` gives for the item, or the Undefined that it raised."""
        if number in self.kept:
            return self.kept[number]
        try:
            made = self.make(np.asarray(self.loads[number](), dtype=np.float64))
        except Undefined as reason:
            made = reason
        size = _size(made)
        if size <= self.room:
            self.room -= size
            self.kept[number] = made
        return made

    def __iter__(self) -> Iterator[Any]:
        return (self[number] for number in range(len(self)))


def _size(made: Any) -> int:
    if isinstance(made, np.ndarray):
        return made.nbytes
    if isinstance(made, (tuple, list)):
        return sum(map(_size, made))
    return 64


def tiles(count: int, size: float, room: float) -> list[slice]:
    """Consecutive items, as many at a time as fit the room, one at least."""
    at_once = max(1, int(room // max(size, 1)))
    return [slice(start, min(start + at_once, count)) for start in range(0, count, at_once)]
