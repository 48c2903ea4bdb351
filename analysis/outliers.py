"""What can drive a spectrum or a similarity without being about the network: measured with every representation."""

import numpy as np
from jaxtyping import Float

ROW_LIMIT, ROWS_LIMIT, CHANNEL_LIMIT, DUPLICATE_LIMIT = 0.1, 0.5, 0.5, 0.05
FEW = 0.05  # of the rows: as many as attention sinks may be where position 0 is kept


def outlier_signature(rows: Float[np.ndarray, "n d"]) -> dict[str, float]:
    """Largest shares of the total variance held by one row, by a twentieth of the rows, and by one channel; and the
    share of duplicate rows."""
    x = np.asarray(rows, dtype=np.float64)
    squares = (x - x.mean(axis=0))**2
    total = squares.sum() or 1.0
    of_rows = np.sort(squares.sum(axis=1))[::-1]
    return {"top_row_share": float(of_rows[0] / total),
            "top_rows_share": float(of_rows[:int(np.ceil(FEW * len(rows)))].sum() / total),
            "top_channel_share": float(squares.sum(axis=0).max() / total),
            "duplicate_share": 1.0 - len(np.unique(rows, axis=0)) / len(rows)}


def outlier_warnings(signature: dict[str, float]) -> list[str]:
    """Sentences for the shares that are large enough to decide what a measure says."""
    said = []
    if signature["top_row_share"] > ROW_LIMIT:
        said.append(f"one row holds {signature['top_row_share']:.0%} of the variance")
    if signature.get("top_rows_share", 0.0) > ROWS_LIMIT:  # rows stored before it was measured do not have it
        said.append(f"{FEW:.0%} of the rows hold {signature['top_rows_share']:.0%} of the variance")
    if signature["top_channel_share"] > CHANNEL_LIMIT:
        said.append(f"one channel holds {signature['top_channel_share']:.0%} of the variance")
    if signature["duplicate_share"] > DUPLICATE_LIMIT:
        said.append(f"{signature['duplicate_share']:.0%} of the rows repeat another row")
    return said
