"""What is true of every estimator of intrinsic dimension, said once."""

from typing import Any

import numpy as np

from analysis.measure import SIMILARITY

CAUTION = "A local estimate. Above about 20 it is a lower bound: 50 dimensions read {} here at n = {}. Common " \
          "estimators do not track the true dimension of representations (Schulte & Rügamer 2026). Compare only at " \
          "equal n, rows and estimator. Equal rows count once. "
SHARED: dict[str, Any] = {
    "arity": 1, "unit": "dimensions", "version": 1, "on_demand": True, "min_samples": 4,
    "direction": "larger: nearby rows spread in more directions",
    "null": "no fixed value: compare with the same texts with their tokens shuffled, and with the first checkpoint. In "
            "large language models both lacked the peak at middle depth (Cheng et al. 2025); where rows are last "
            "tokens, shuffling also changes which token is read",
}
SEARCHED: dict[str, Any] = {
    **SHARED, "takes": "neighbours", "bounds": (0.0, np.inf), "invariant_to": SIMILARITY,
    "cost": "n^2 d, one search for all dimensions",
    "uncertainty": "none: with documents left out rows have other neighbours, and in simulations the interval of the "
                   "jackknife was up to 1.8 times as wide as it should be, and that of a change up to 2.8 times",
}
