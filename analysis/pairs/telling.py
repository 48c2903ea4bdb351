"""What the cells of a pair matrix say, as export.matrix_records gives them: in words, and the best of a row."""

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.measure import Measure
from analysis.pairs.cells import LEVEL


def told(record: Mapping[str, Any], measure: Measure, symbol: str) -> list[str]:
    """Everything known of one cell of export.matrix_records, a line each."""
    if record["value"] is None:
        return [f"{symbol} is undefined"]
    lines = [f"{symbol} = {record['value']:z.4f}"]
    if record["low"] is not None:
        lines.append(f"95 % interval {record['low']:z.4f} to {record['high']:z.4f}")
    if record["chance"] is not None:
        lines.append(f"by chance {record['chance']:z.4f} (exact)")
    if record["p"] is not None:
        side = "above" if measure.smaller_is_closer else "below"
        lines += [f"texts shuffled: mean {record['null_mean']:z.4f}, 95 % {side} {record['threshold']:z.4f}",
                  f"p = {record['p']:.3g}; for any cell p = {record['p_any']:.3g}"]
    return lines


def best_matches(records: Sequence[Mapping[str, Any]], columns: int, measure: Measure) -> list[int | None]:
    """For each row of the matrix, the column that is most alike to it, the item itself left out; None where the best
    is no better than the best of shuffled texts (p for any cell of the matrix)."""
    sign = -1.0 if measure.smaller_is_closer else 1.0
    found: list[int | None] = []
    for start in range(0, len(records), columns):
        row = [(sign * record["value"], column) for column, record in enumerate(records[start:start + columns])
               if record["value"] is not None and not _itself(record)]
        best = max(row, key=lambda pair: pair[0])[1] if row else None
        p = None if best is None else records[start + best]["p_any"]
        found.append(best if p is not None and p < LEVEL else None)
    return found


def _itself(record: Mapping[str, Any]) -> bool:
    return all(record.get(f"{name}_a") == record.get(f"{name}_b") for name in ("run", "revision", "site"))
