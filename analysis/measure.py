"""The one abstraction: a measure is a plain function and a record of what is true of it."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from analysis.errors import Undefined
from analysis.moments import Moments
from analysis.neighbours import Neighbours
from analysis.results import Curve, Scalar
from analysis.textrows import TextRows


class Transform(Enum):
    """What can be done to a representation. For pairs one side is transformed; rows are permuted on both."""

    ROW_PERMUTATION = "row permutation"
    TRANSLATION = "translation"
    ISOTROPIC_SCALING = "isotropic scaling"
    FEATURE_PERMUTATION = "feature permutation"
    ORTHOGONAL = "orthogonal map"
    INVERTIBLE_LINEAR = "invertible linear map"


RIGID = frozenset({Transform.ROW_PERMUTATION, Transform.TRANSLATION, Transform.FEATURE_PERMUTATION,
                   Transform.ORTHOGONAL})
SIMILARITY = RIGID | {Transform.ISOTROPIC_SCALING}


@dataclass(frozen=True, kw_only=True)
class Param:
    """A whole-number setting of a measure: drives the widget, the validation and the cache key."""

    name: str
    default: int
    low: int
    high: int
    help: str


@dataclass(frozen=True, kw_only=True)
class Kernel:
    """Of a pair measure that is HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L)): how an item's Gram matrix is made.

    `prepare` makes of n x d rows, and the settings, what `rows` needs to give some rows K[which] of the symmetric n x n
    Gram matrix, so that the matrix need never stand whole. `debiased` says which estimate of HSIC is meant.
    """

    prepare: Callable[..., Any]
    rows: Callable[[Any, Any], Float[np.ndarray, "m n"]]
    debiased: bool


class Documented:
    """What a record says in the words of its function's docstring."""

    fn: Callable[..., Any]

    @property
    def summary(self) -> str:
        """The first line of the function's docstring."""
        return (self.fn.__doc__ or "").strip().splitlines()[0]

    @property
    def equation(self) -> str:
        """The indented equation of the docstring, as text."""
        lines = (self.fn.__doc__ or "").splitlines()
        return "\n".join(line.strip() for line in lines if line.startswith("        "))


@dataclass(frozen=True, kw_only=True)
class Measure(Documented):
    """A named function of one or two representations with its declared properties.

    `takes` says what `fn` is given: the n x d rows; their Moments, which every spectral measure shares so that one
    eigendecomposition serves all; their Neighbours, so that one search does; or TextRows, where it matters which rows
    are of one text or document. A corrected measure names in `spread_of` the plug-in measure whose jackknife spread is
    its own to first order, as a share of the value where `relative_spread`. Of a measure with `leaves_two_out` the
    jackknife leaves out pairs of groups too: its changes depend on what documents do together. A pair measure with a
    `kernel`, or with an `item`, is worked out for all pairs at once: `item` gives one side's n x n matrix such that the
    measure is the cosine between the two matrices, taken as vectors. `fn` returns a float (scalar) or a 1-d array
    (spectrum) and raises Undefined, with the reason, where it has no value.
    """

    name: str
    fn: Callable[..., Any]
    arity: Literal[1, 2]
    takes: Literal["rows", "moments", "neighbours", "texts"]
    returns: Literal["scalar", "spectrum"]
    label: str
    symbol: str
    unit: str
    bounds: tuple[float, float]
    direction: str
    invariant_to: frozenset[Transform]
    min_samples: int
    cost: str
    caveats: str
    reference: str
    version: int
    uncertainty: str
    null: str
    log_scale: bool = False
    symmetric: bool = False
    spread_of: str = ""
    relative_spread: bool = False
    leaves_two_out: bool = False
    on_demand: bool = False  # left out of a sweep that does not name it
    params: tuple[Param, ...] = ()
    chance: Callable[..., float] | None = field(default=None)
    kernel: Kernel | None = None
    item: Callable[..., Float[np.ndarray, "n n"]] | None = None
    equal: float | None = 1.0  # of a pair measure: its value for a representation with itself, where that is one number

    @property
    def has_interval(self) -> bool:
        return self.uncertainty.startswith("jackknife")

    @property
    def smaller_is_closer(self) -> bool:
        return self.equal == self.bounds[0]

    def settings(self, given: dict[str, int] | None = None) -> dict[str, int]:
        """All parameters with their values, checked against their bounds."""
        known = {param.name: param for param in self.params}
        for name, value in (given or {}).items():
            if name not in known:
                raise ValueError(f"{self.name} has no parameter {name!r}; it has {sorted(known) or 'none'}")
            if not known[name].low <= value <= known[name].high:
                raise ValueError(f"{self.name}: {name} is {value}, it must be between {known[name].low} and "
                                 f"{known[name].high}")
        return {name: (given or {}).get(name, param.default) for name, param in known.items()}

    def __call__(self, *representations: "Float[np.ndarray, 'n d'] | Moments | Neighbours | TextRows",
                 **params: int) -> Scalar | Curve:
        """The measure of one or two n x d arrays, or of what it takes: their Moments, their Neighbours, TextRows."""
        settings = self.settings(params)
        inputs = [self._prepare(representation) for representation in representations]
        if len(inputs) != self.arity:
            raise ValueError(f"{self.name} takes {self.arity} representation(s), got {len(inputs)}")
        if self.arity == 2 and len(inputs[0]) != len(inputs[1]):
            raise ValueError(f"{self.name}: rows must correspond, got {len(inputs[0])} and {len(inputs[1])} rows; "
                             "compare representations of the same probe and token policy")
        try:
            value = self.fn(*inputs, **settings)
        except Undefined as reason:
            return self._undefined(str(reason))
        if self.returns == "spectrum":
            return Curve(values=value)
        return Scalar(value=float(value), chance=self.chance(*inputs, **settings) if self.chance else None)

    def _undefined(self, reason: str) -> Scalar | Curve:
        return Curve(values=np.empty(0), reason=reason) if self.returns == "spectrum" else Scalar.undefined(reason)

    def _prepare(self, representation: Any) -> Any:
        summarised = isinstance(representation, Moments)
        if summarised and self.takes != "moments":
            raise ValueError(f"{self.name} needs the rows themselves, got their moments")
        if isinstance(representation, Neighbours) and self.takes != "neighbours":
            raise ValueError(f"{self.name} needs the rows themselves, got their neighbours")
        if self.takes == "texts" and not isinstance(representation, TextRows):
            raise ValueError(f"{self.name} needs n x d rows with their texts and documents (TextRows), got "
                             f"{type(representation).__name__}")
        values = representation.scatter if summarised else getattr(representation, "x", representation)
        if values.ndim != 2:
            raise ValueError(f"{self.name} needs an n x d array, got shape {values.shape}")
        rows = representation.n if summarised else len(representation)
        if rows < self.min_samples:
            raise ValueError(f"{self.name} needs at least {self.min_samples} rows, got {rows}; use a larger probe or "
                             "a token policy with more rows")
        if not (representation.is_finite if summarised else np.isfinite(values).all()):
            raise ValueError(f"{self.name}: the rows hold NaN or infinite values, so it has no value")
        if self.takes == "texts":
            return replace(representation, x=np.asarray(values, dtype=np.float64))
        if self.takes == "rows":
            return np.asarray(values, dtype=np.float64)
        if self.takes == "neighbours":
            return representation if isinstance(representation, Neighbours) else Neighbours.of(values)
        return representation if summarised else Moments.of(representation)
