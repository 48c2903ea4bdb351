"""LiDAR: how many directions tell documents apart, after the variation within documents is made isotropic."""

import numpy as np
from scipy.linalg import solve_triangular

from analysis.errors import Undefined
from analysis.matrix_entropy import matrix_entropy
from analysis.measure import SIMILARITY, Measure
from analysis.moments import centred
from analysis.textrows import TextRows

RIDGE = 1e-4  # the paper's, as a share of the mean within-document variance instead of absolute


def lidar(x: TextRows) -> float:
    """Linear discriminant analysis rank, with documents as objects and their rows as views.

    With S_b the covariance of the document means, C the mean covariance within a document, and p_k the k-th eigenvalue
    of the product below divided by their sum:

        S_w = C + 1e-4 (tr C / d) I
        LiDAR = exp(-sum_k p_k ln p_k), p_k from S_w^-1/2 S_b S_w^-1/2

    Parameters
    ----------
    x : n x d rows with their documents, any unit; documents of one row are left out, the others count the same

    Returns
    -------
    Dimensions, from 1 (one direction tells documents apart) to min(documents - 1, d) (all do alike).

    Raises Undefined with fewer than two documents of two rows, when rows within documents or document means are all the
    same. Reference: Thilak et al. 2024, equations 1-4, with the ridge relative to the mean within-document variance so
    that the unit does not matter, and without the epsilon inside p.
    """
    order = np.argsort(x.documents, kind="stable")
    ends = np.flatnonzero(np.diff(x.documents[order])) + 1
    views = [rows for rows in np.split(x.x[order], ends) if len(rows) >= 2]
    if len(views) < 2:
        raise Undefined("fewer than two documents have two rows; choose a token policy or a probe with several rows a "
                        "document")
    between = centred(np.stack([rows.mean(axis=0) for rows in views]))
    deviations = np.concatenate([centred(rows) / np.sqrt(len(rows) - 1) for rows in views])
    within = deviations.T @ deviations / len(views)
    if not deviations.any() or not between.any():
        raise Undefined("the rows of each document are all the same" if between.any() else
                        "all documents have the same mean")
    ridge = RIDGE * np.trace(within) / len(within)
    root = np.linalg.cholesky(within + ridge * np.eye(len(within)))
    # S_b whitened by any root of S_w has the same eigenvalues
    return float(np.exp(matrix_entropy(solve_triangular(root, between.T, lower=True))))


MEASURES = (
    Measure(name="lidar", fn=lidar, arity=1, takes="texts", returns="scalar", label="LiDAR", symbol="LiDAR",
            unit="dimensions", bounds=(1.0, np.inf), direction="larger: more directions tell documents apart",
            invariant_to=SIMILARITY, min_samples=4, cost="n d^2 + d^3", reference="thilak2024lidar", version=1,
            uncertainty="none: documents are its objects, and the jackknife over them is far too wide (it held 99.7 %)",
            null="for isotropic noise about m exp(-m / 2M) with m the smaller and M the larger of d and documents - 1, "
                 "since noise too moves the means",
            caveats="The ridge is 1e-4 of the mean within-document variance, where the paper has 1e-4 outright, so "
                    "that the unit does not matter. With fewer rows than about d + documents, directions without any "
                    "variation within documents are decided by the ridge and dominate. Views are rows of one document "
                    "and not augmentations: compare only at the same probe and token policy."),
)
