"""The numbers the app opens on are those that the code computes, and independent code agrees with them."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from analysis import compute, registry
from analysis.extraction.probes import load_probe
from analysis.keys import Policy
from analysis.representations import ensure
from analysis.runs import DEMO, find_run
from analysis.store import Store

REVISION = "step512"
RESULTS = DEMO.parent / "results"


@pytest.fixture(scope="module")
def recomputed(tmp_path_factory):
    """One checkpoint of the demo, extracted and measured afresh, without the bundled results."""
    store = Store(tmp_path_factory.mktemp("cache"))
    run = find_run(store, "sotu-neox-seed1")
    protocol = compute.Protocol(load_probe("sotu-held-out"), Policy.parse("last"))
    representation = ensure(store, run.at(REVISION), protocol)
    only = type(run)(run.name, run.source, (run.at(REVISION),))
    compute.sweep(store, [only], protocol, registry.usual())
    return {(r["site"], r["measure"]): r for r in compute.records(store, only)}, representation  # at default settings


def test_bundled_values_are_what_the_code_computes(recomputed):
    fresh, _ = recomputed
    bundled = compute.records(Store(RESULTS), find_run(Store(RESULTS), "sotu-neox-seed1"),
                              probe=load_probe("sotu-held-out").identity)
    compared = 0
    for record in bundled:
        if registry.get(record["measure"]).on_demand:
            continue
        other = fresh[record["site"], record["measure"]]
        if record["revision"] == REVISION and record["protocol"]["params"] == other["protocol"]["params"]:
            assert record["fingerprint"] == other["fingerprint"]
            assert (record["value"] is None) == (other["value"] is None) and record["reason"] == other["reason"]
            if record["value"] is not None:
                np.testing.assert_allclose(np.array(record["value"]), np.array(other["value"]), rtol=1e-4)
            compared += 1
    assert compared == len(fresh) > 0


def test_scikit_learn_finds_the_same_spectrum_in_the_stored_rows(recomputed):
    fresh, representation = recomputed
    for site, rows in representation.rows.items():
        variances = PCA(svd_solver="full").fit(rows.astype(np.float64)).explained_variance_
        np.testing.assert_allclose(fresh[site, "covariance_eigenspectrum"]["value"], variances, rtol=1e-6,
                                   atol=1e-12 * variances[0])
        p = variances[variances > 1e-12 * variances[0]] / variances.sum()
        assert fresh[site, "rankme_covariance"]["value"] == pytest.approx(np.exp(-(p * np.log(p)).sum()), rel=1e-6)
        s = np.linalg.svd(rows.astype(np.float64), compute_uv=False)
        q = s / s.sum()
        assert fresh[site, "rankme_singular_values"]["value"] == pytest.approx(np.exp(-(q * np.log(q)).sum()), rel=1e-6)


def test_rows_carry_the_ids_and_documents_of_the_held_out_texts(recomputed):
    _, representation = recomputed
    texts = load_probe("sotu-held-out").texts
    assert representation.row_ids == tuple(text.id for text in texts)
    assert representation.document_ids == tuple(text.document for text in texts)
    assert len(set(representation.document_ids)) == 23
