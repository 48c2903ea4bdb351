"""What every registered measure promises: the contract is read from its record and checked against its numbers."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from analysis import references
from analysis.measure import Measure, Transform
from analysis.moments import Moments
from analysis.registry import all_measures
from analysis.results import Curve, Scalar
from analysis.textrows import TextRows
from tests.synthetic import generic, generic_pair, orthogonal, rotated, with_covariance_eigenvalues

MEASURES = list(all_measures().values())
PAIRS = [measure for measure in MEASURES if measure.arity == 2]
SAME, DIFFERENT = 1e-7, 5e-4  # relative; a change between the two is neither, and is itself a fault
ROUNDING = 1e-12
IMPLIED = {Transform.INVERTIBLE_LINEAR: {Transform.ORTHOGONAL, Transform.ISOTROPIC_SCALING},
           Transform.ORTHOGONAL: {Transform.FEATURE_PERMUTATION}}

TOKENS = {"persistent_homology_dimension_of_texts": 100}  # of each text where 5 are too few

each_measure = pytest.mark.parametrize("measure", MEASURES, ids=lambda measure: measure.name)
each_pair_measure = pytest.mark.parametrize("measure", PAIRS, ids=lambda measure: measure.name)
each_transform = pytest.mark.parametrize("transform", list(Transform), ids=lambda transform: transform.name.lower())


def inputs_of(measure: Measure, n: int = 150, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Generic rows, wide enough for every default window of ranks; mostly five rows a text, two texts a document."""
    rng = np.random.default_rng(seed)
    return (as_taken(measure, generic(n, 60, rng)),) if measure.arity == 1 else generic_pair(n, 60, 50, rng)


def as_taken(measure: Measure, x: np.ndarray) -> np.ndarray | TextRows:
    if measure.takes != "texts":
        return x
    number, tokens = np.arange(len(x)), TOKENS.get(measure.name, 5)
    return TextRows(x, number // tokens, number // (2 * tokens), number % tokens)


def taken(rows: np.ndarray | TextRows, which: np.ndarray | slice) -> np.ndarray | TextRows:
    """Some of the rows, or all in another order, with what belongs to them."""
    if not isinstance(rows, TextRows):
        return rows[which]
    return TextRows(rows.x[which], rows.texts[which], rows.documents[which], rows.positions[which])


def permuted(rows: np.ndarray | TextRows) -> np.ndarray:
    """Another order of the rows; those of one text stay together, in the order of their positions."""
    rng = np.random.default_rng(1)
    if not isinstance(rows, TextRows):
        return rng.permutation(len(rows))
    return np.argsort(rng.permutation(rows.texts.max() + 1)[rows.texts], kind="stable")


def changed_rows(rows: np.ndarray | TextRows, change) -> np.ndarray | TextRows:
    """The rows after a change of the array, beside the same texts."""
    return dataclasses.replace(rows, x=change(rows.x)) if isinstance(rows, TextRows) else change(rows)


def numbers(result: Scalar | Curve) -> np.ndarray:
    return np.atleast_1d(result.values if isinstance(result, Curve) else result.value)


def relative_change(measure: Measure, before: tuple[np.ndarray, ...], after: tuple[np.ndarray, ...]) -> float:
    old, new = numbers(measure(*before)), numbers(measure(*after))
    assert np.isfinite(old).all() and np.isfinite(new).all(), f"{measure.name} must be defined on generic rows"
    if old.shape != new.shape:
        return np.inf
    return float(np.abs(new - old).max() / np.abs(old).max())


def transformed(x: np.ndarray, transform: Transform, rng: np.random.Generator) -> np.ndarray:
    d = x.shape[1]
    match transform:
        case Transform.ROW_PERMUTATION:
            return x[rng.permutation(len(x))]
        case Transform.TRANSLATION:
            return x + 3 * rng.standard_normal(d)
        case Transform.ISOTROPIC_SCALING:
            return 3.7 * x
        case Transform.FEATURE_PERMUTATION:
            return x[:, rng.permutation(d)]
        case Transform.ORTHOGONAL:
            return x @ orthogonal(d, rng)
        case Transform.INVERTIBLE_LINEAR:
            return x @ (orthogonal(d, rng) * np.geomspace(0.2, 5, d)) @ orthogonal(d, rng)
    raise AssertionError(f"no example of {transform}")


def changes(measure: Measure, transform: Transform) -> list[float]:
    """Relative change of the value: one side at a time, except that rows are permuted on both sides alike."""
    before = inputs_of(measure)
    if transform is Transform.ROW_PERMUTATION:
        return [relative_change(measure, before, tuple(taken(x, permuted(x)) for x in before))]
    found = []
    for side in range(measure.arity):
        after = list(before)
        after[side] = changed_rows(before[side], lambda x: transformed(x, transform, np.random.default_rng(1)))
        found.append(relative_change(measure, before, tuple(after)))
    return found


def invariance_fault(measure: Measure, transform: Transform) -> str:
    """Empty when the value is unchanged if and only if the record says so; else what is wrong."""
    found = changes(measure, transform)
    if transform in measure.invariant_to and max(found) > SAME:
        return f"{measure.name} declares invariance to {transform.value} and changes by {max(found):.2g}"
    if transform not in measure.invariant_to and max(found) < DIFFERENT:
        return f"{measure.name} changes by only {max(found):.2g} under {transform.value} and does not declare it"
    return ""


def implication_faults(measure: Measure) -> list[str]:
    return [f"{measure.name} declares {cause.value} without {effect.value}, which it implies"
            for cause, effects in IMPLIED.items() if cause in measure.invariant_to
            for effect in effects - measure.invariant_to]


def symmetry_fault(measure: Measure) -> str:
    x, y = inputs_of(measure)
    change = relative_change(measure, (x, y), (y, x))
    if measure.symmetric and change > SAME:
        return f"{measure.name} declares symmetry and changes by {change:.2g} when swapped"
    if not measure.symmetric and change < DIFFERENT:
        return f"{measure.name} changes by only {change:.2g} when swapped and does not declare symmetry"
    return ""


def bounds_fault(measure: Measure, inputs: tuple[np.ndarray, ...]) -> str:
    result = measure(*inputs)
    low, high = measure.bounds
    if result.reason:
        return ""
    values = numbers(result)
    if (values >= low - ROUNDING).all() and (values <= high + ROUNDING).all():
        return ""
    return f"{measure.name} is {values}, outside {measure.bounds}"


@each_transform
@each_measure
def test_the_value_is_unchanged_if_and_only_if_declared(measure, transform):
    assert not invariance_fault(measure, transform)


@each_measure
def test_the_invariance_check_reports_a_false_declaration(measure):
    for transform in Transform:
        lie = dataclasses.replace(measure, invariant_to=measure.invariant_to ^ {transform})
        assert transform.value in invariance_fault(lie, transform)


@each_measure
def test_declared_invariances_are_closed_under_implication(measure):
    assert implication_faults(measure) == []


def test_the_implication_check_reports_a_set_that_is_not_closed():
    real = MEASURES[0]
    only_linear = dataclasses.replace(real, invariant_to=frozenset({Transform.INVERTIBLE_LINEAR}))
    assert len(implication_faults(only_linear)) == 2
    only_orthogonal = dataclasses.replace(real, invariant_to=frozenset({Transform.ORTHOGONAL}))
    assert len(implication_faults(only_orthogonal)) == 1


@each_pair_measure
def test_the_value_survives_a_swap_if_and_only_if_declared_symmetric(measure):
    assert not symmetry_fault(measure)
    assert symmetry_fault(dataclasses.replace(measure, symmetric=not measure.symmetric))


@each_pair_measure
def test_a_representation_and_itself_have_the_declared_value(measure):
    x = inputs_of(measure)[0]
    value = measure(x, x).value
    if measure.equal is None:
        assert abs(value - 1) > DIFFERENT
    else:
        assert value == pytest.approx(measure.equal, abs=0.02)


@each_measure
def test_a_measure_of_one_representation_is_not_called_symmetric(measure):
    assert measure.arity == 2 or not measure.symmetric


@each_pair_measure
def test_shuffling_the_rows_of_one_side_only_changes_the_value(measure):
    x, y = inputs_of(measure)
    assert relative_change(measure, (x, y), (x, y[::-1])) > DIFFERENT


@each_pair_measure
def test_sides_with_different_numbers_of_rows_are_refused(measure):
    x, y = inputs_of(measure)
    with pytest.raises(ValueError, match=f"{measure.name}.*150 and 149"):
        measure(x, y[1:])


def hard_inputs(measure: Measure) -> dict[str, tuple[np.ndarray, ...]]:
    """Corners of what can be measured: more columns than rows, one direction, flat, tiny, huge, repeated rows."""
    rng = np.random.default_rng(2)
    tall, wide = generic(120, 60, rng), generic(20, 60, rng)
    one_direction = np.outer(rng.standard_normal(120), rng.standard_normal(60)) + 1e-6 * rng.standard_normal((120, 60))
    single = {"tall": tall, "wide": wide, "one direction": one_direction, "tiny": 1e-5 * tall, "huge": 1e5 * tall,
              "flat": with_covariance_eigenvalues(np.ones(60), 120, rng),
              "repeated rows": tall[rng.integers(0, 9, 120)],
              "few rows": generic(measure.min_samples, 60, rng), "offset": tall + 1e4}
    if measure.arity == 1:
        return {name: (as_taken(measure, x),) for name, x in single.items()}
    return {f"{name}, {relation}": (x, y) for name, x in single.items() for relation, y in {
        "itself": x, "reversed sign": -x, "rotated": rotated(x, rng, scale=1e3, shift=2.0),
        "unrelated": generic(len(x), 40, rng)}.items()}


@each_measure
def test_values_stay_within_the_declared_bounds(measure):
    defined = 0
    for name, inputs in hard_inputs(measure).items():
        assert not bounds_fault(measure, inputs), name
        defined += not measure(*inputs).reason
    assert defined >= 4, "the bounds were checked on next to nothing"


@each_measure
def test_the_bounds_check_reports_a_value_outside(measure):
    value = numbers(measure(*inputs_of(measure)))[0]
    assert bounds_fault(dataclasses.replace(measure, bounds=(value + 1, value + 2)), inputs_of(measure))


@each_measure
def test_the_same_input_gives_the_same_bits(measure):
    np.testing.assert_array_equal(numbers(measure(*inputs_of(measure))), numbers(measure(*inputs_of(measure))))


@each_measure
def test_float32_rows_give_nearly_the_float64_value(measure):
    inputs = inputs_of(measure)
    single = tuple(changed_rows(x, np.float32) for x in inputs)
    assert relative_change(measure, inputs, single) < 1e-5


@each_measure
def test_float32_rows_are_accumulated_in_float64(measure):
    single = tuple(changed_rows(x, np.float32) for x in inputs_of(measure))
    assert relative_change(measure, single, tuple(changed_rows(x, np.float64) for x in single)) < 1e-13


@each_measure
def test_inputs_are_not_changed(measure):
    inputs = inputs_of(measure)
    arrays = [array for x in inputs for array in (vars(x).values() if isinstance(x, TextRows) else [x])]
    before = [x.copy() for x in arrays]
    for x in arrays:
        x.flags.writeable = False
    measure(*inputs)
    for x, kept in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(x, kept)


@each_measure
def test_too_few_rows_are_refused_by_name(measure):
    rows = measure.min_samples - 1
    with pytest.raises(ValueError, match=f"{measure.name} needs at least {measure.min_samples} rows, got {rows}"):
        measure(*(taken(x, slice(rows)) for x in inputs_of(measure)))


@each_measure
def test_the_smallest_allowed_number_of_rows_gives_a_value_or_a_reason(measure):
    result = measure(*(taken(x, slice(measure.min_samples)) for x in inputs_of(measure)))
    assert result.reason or np.isfinite(numbers(result)).all()


@each_measure
def test_an_array_that_is_not_rows_by_columns_is_refused_by_name(measure):
    with pytest.raises(ValueError, match=f"{measure.name}.*n x d"):
        measure(*(changed_rows(x, lambda x: x[:, 0]) for x in inputs_of(measure)))


@each_measure
def test_a_wrong_number_of_representations_is_refused_by_name(measure):
    x = inputs_of(measure)[0]
    with pytest.raises(ValueError, match=f"{measure.name} takes {measure.arity}"):
        measure(*[x] * (measure.arity + 1))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@each_measure
def test_a_row_that_is_not_finite_never_passes_as_a_value(measure, bad):
    inputs = inputs_of(measure)
    getattr(inputs[0], "x", inputs[0])[3, 3] = bad
    with np.errstate(all="ignore"):
        try:
            result = measure(*inputs)
        except ValueError:
            return
    assert result.reason, f"{measure.name} gives {numbers(result)[:3]} and no reason"


@each_measure
def test_results_have_the_declared_form(measure):
    result = measure(*inputs_of(measure))
    assert isinstance(result, {"scalar": Scalar, "spectrum": Curve}[measure.returns])
    assert result.reason == ""
    if isinstance(result, Curve):
        assert result.values.ndim == 1
        assert measure.takes != "moments" or (np.diff(result.values) <= 0).all(), "ranks run from the largest"
    else:
        assert isinstance(result.value, float)


@each_measure
def test_a_chance_level_is_given_exactly_when_the_record_has_one(measure):
    if measure.returns == "scalar":
        chance = measure(*inputs_of(measure)).chance
        assert (chance is not None) == (measure.chance is not None)
        assert chance is None or measure.bounds[0] <= chance <= measure.bounds[1]


@pytest.mark.parametrize("measure", [m for m in MEASURES if m.takes == "moments"], ids=lambda measure: measure.name)
def test_spectral_measures_take_moments_as_well_as_rows(measure):
    (x,) = inputs_of(measure)
    np.testing.assert_array_equal(numbers(measure(Moments.of(x))), numbers(measure(x)))


@pytest.mark.parametrize("measure", [m for m in MEASURES if m.takes != "moments"], ids=lambda measure: measure.name)
def test_measures_of_rows_refuse_moments_by_name(measure):
    with pytest.raises(ValueError, match=f"{measure.name} needs the rows"):
        measure(*(Moments.of(getattr(x, "x", x)) for x in inputs_of(measure)))


@each_measure
def test_the_reference_is_in_the_bibliography(measure):
    assert measure.reference in references.entries()
    assert references.entries()[measure.reference]["year"] in references.citation(measure.reference)


@pytest.mark.parametrize("said", ["name", "label", "symbol", "summary", "equation", "direction", "cost", "caveats",
                                  "uncertainty", "null"])
@each_measure
def test_nothing_a_page_shows_is_empty(measure, said):
    assert getattr(measure, said).strip()


@each_measure
def test_the_record_is_sane(measure):
    assert measure.arity in (1, 2)
    assert measure.takes in ("rows", "moments", "neighbours", "texts")
    assert not measure.spread_of or (measure.has_interval and all_measures()[measure.spread_of].has_interval)
    assert measure.has_interval or measure.uncertainty.startswith("none: ")
    assert measure.returns in ("scalar", "spectrum")
    assert measure.bounds[0] < measure.bounds[1]
    assert measure.min_samples >= 2
    assert measure.version >= 1
    assert measure.name == measure.fn.__name__, "the name on the screen leads to the function"
    assert measure.name.isidentifier() and measure.name == measure.name.lower()
    assert not measure.log_scale or measure.bounds[0] >= 0


@each_measure
def test_the_docstring_gives_parameters_and_range_and_errors(measure):
    for part in ("Parameters\n", "Returns\n", "Raises ", "Reference: "):
        assert part in measure.fn.__doc__, part


def test_labels_are_unique():
    labels = [measure.label for measure in MEASURES]
    assert len(set(labels)) == len(labels)


@each_measure
def test_parameters_are_checked_and_filled_in(measure):
    assert measure.settings() == {param.name: param.default for param in measure.params}
    with pytest.raises(ValueError, match=f"{measure.name} has no parameter 'no_such'"):
        measure.settings({"no_such": 1})
    for param in measure.params:
        assert param.low <= param.default <= param.high
        assert param.help.strip()
        assert measure.settings({param.name: param.high})[param.name] == param.high
        for outside in (param.low - 1, param.high + 1):
            with pytest.raises(ValueError, match=f"{measure.name}: {param.name} is {outside}"):
                measure.settings({param.name: outside})


@each_measure
def test_an_unknown_parameter_is_refused_when_called(measure):
    with pytest.raises(ValueError, match="no_such"):
        measure(*inputs_of(measure), no_such=1)


@each_measure
def test_a_test_file_of_the_right_name_exists(measure):
    module = measure.fn.__module__.rsplit(".", 1)[-1]
    assert (Path(__file__).parents[1] / "measures" / f"test_{module}.py").is_file()


@each_measure
def test_that_test_file_names_the_measure(measure):
    module = measure.fn.__module__.rsplit(".", 1)[-1]
    assert measure.name in (Path(__file__).parents[1] / "measures" / f"test_{module}.py").read_text(encoding="utf-8")
