"""Clouds of known shape: they are what they are said to be, and what is said of them follows from the numbers."""

import runpy

import gudhi
import numpy as np
import pytest
import skdim
from scipy.spatial.distance import pdist

from analysis import registry
from analysis.__main__ import main, open_store
from analysis.checkpoints.activations import labels_of, read_rows
from analysis.checkpoints.folder import DEMO
from analysis.runs import find_run, is_bundled
from analysis.topology import computing, known, recovered
from analysis.topology.surrogates import leading
from analysis.topology.workers import Workers
from tests.topology.made import cell

FILE = DEMO / "runs" / f"{known.RUN}.npz"
CLOUDS = known.clouds()
SHAPES = {shape.name: shape for shape in known.SHAPES}


def directions(name, count):
    """The rows of a shape on its leading principal directions, without those that hold noise only."""
    return leading(CLOUDS[name], count)


def gaps(points):
    """Lengths of the bars of an alpha complex by another library, longest first, for each dimension below the space."""
    tree = gudhi.AlphaComplex(points=points).create_simplex_tree(output_squared_values=False)
    tree.compute_persistence()
    found = []
    for dimension in range(points.shape[1]):
        bars = tree.persistence_intervals_in_dimension(dimension).reshape(-1, 2)
        found.append(np.sort((bars[:, 1] - bars[:, 0])[np.isfinite(bars[:, 1])])[::-1])
    return found


# --- the shapes are what they are said to be ---


def test_every_shape_has_600_distinct_finite_rows_in_32_directions():
    assert list(CLOUDS) == list(SHAPES)
    for rows in CLOUDS.values():
        assert rows.shape == (600, 32) and rows.dtype == np.float32 and np.isfinite(rows).all()
        assert len(np.unique(rows, axis=0)) == 600


def test_rows_of_the_circle_lie_at_radius_one_at_the_angle_of_their_label():
    plane = directions("circle", 2)
    assert np.hypot(*plane.T) == pytest.approx(1, abs=0.15), "the mean of 600 rows is not quite the centre"
    chords = 2 * np.abs(np.sin(pdist(known.angles()[:, None]) / 2))
    assert pdist(CLOUDS["circle"]) == pytest.approx(chords, abs=0.02)


def test_one_loop_of_the_torus_has_the_angles_of_the_circle_and_both_loops_are_of_one_length():
    centred = CLOUDS["torus"] - CLOUDS["torus"].mean(axis=0)
    variances = np.linalg.svd(centred, compute_uv=False)**2 / 600
    assert variances[:4] == pytest.approx(0.5, abs=0.06) and variances[4:] == pytest.approx(0, abs=1e-5)
    first = np.column_stack([np.cos(known.angles()), np.sin(known.angles())])
    fitted, *_ = np.linalg.lstsq(np.column_stack([CLOUDS["torus"], np.ones(600)]), first, rcond=None)
    rebuilt = np.column_stack([CLOUDS["torus"], np.ones(600)]) @ fitted
    assert rebuilt == pytest.approx(first, abs=0.03)
    assert np.linalg.norm(centred, axis=1).max() < np.sqrt(2) * 1.2


def test_the_two_spheres_are_apart_and_rows_of_each_are_at_radius_one():
    for part in (0, 1):
        own = leading(CLOUDS["two spheres"][part::2], 3)  # around the mean of the rows, which is not quite the centre
        centre = np.linalg.lstsq(np.column_stack([2 * own, np.ones(300)]), (own**2).sum(axis=1), rcond=None)[0][:3]
        assert np.linalg.norm(own - centre, axis=1) == pytest.approx(1, abs=0.01)
    ones, others = CLOUDS["two spheres"][::2], CLOUDS["two spheres"][1::2]
    assert np.linalg.norm(ones.mean(axis=0) - others.mean(axis=0)) == pytest.approx(known.APART, abs=0.15)


@pytest.mark.parametrize(("name", "rest"), [("5-plane", known.NOISE), ("5-plane with noise", known.NOISY_PLANE)])
def test_a_plane_has_the_variance_of_a_cube_in_five_directions_and_of_its_noise_in_the_others(name, rest):
    variances = np.linalg.svd(CLOUDS[name] - CLOUDS[name].mean(axis=0), compute_uv=False)**2 / 600
    assert variances[:5] == pytest.approx(1 / 3 + rest**2, rel=0.25)
    assert np.sqrt(variances[5:].mean()) == pytest.approx(rest, rel=0.05)


def test_the_variances_of_the_gaussian_fall_as_one_over_rank():
    variances = np.linalg.svd(CLOUDS["gaussian"] - CLOUDS["gaussian"].mean(axis=0), compute_uv=False)**2 / 600
    assert np.polyfit(np.log(np.arange(1, 33)), np.log(variances), 1)[0] == pytest.approx(-1, abs=0.15)


@pytest.mark.parametrize(("name", "count"), [("circle", 2), ("two spheres", 3), ("torus", 4)])
def test_another_library_finds_the_stated_betti_numbers_in_the_rows(name, count):
    found, betti = gaps(directions(name, count)), SHAPES[name].betti
    holes = [(found[dimension], true - (dimension == 0)) for dimension, true in enumerate(betti) if dimension < count]
    longest = max(bars[true - 1] for bars, true in holes if true)
    for bars, true in holes:
        if true:
            assert bars[true - 1] > 1.5 * bars[true:].max(initial=0), "the true bars stand out of the others"
        else:
            assert bars.max(initial=0) < 0.4 * longest
    assert betti[count:] == (0,) * len(betti[count:]), "points in a plane have no void"


@pytest.mark.parametrize("name", ["circle", "torus", "two spheres", "5-plane"])
def test_another_library_estimates_the_stated_dimension_within_a_fifth(name):
    estimate = skdim.id.MLE().fit(CLOUDS[name].astype(float), n_neighbors=20).dimension_
    assert estimate == pytest.approx(SHAPES[name].dimension, rel=recovered.NEAR)


# --- the bundled run ---


def test_the_bundled_file_holds_these_shapes_and_labels_row_by_row():
    found, labels = read_rows(FILE), labels_of(FILE)
    assert set(found.rows) == set(SHAPES) and found.document_ids == found.row_ids and len(found.row_ids) == 600
    assert np.array(labels["angle"], dtype=float) == pytest.approx(known.angles(), abs=1e-6)
    assert labels["half"] == ("first", "second") * 300
    assert FILE.stat().st_size < 400_000


def test_the_script_makes_the_bundled_file_again(tmp_path):
    runpy.run_path(str(DEMO / "make_known_answers.py"))["main"](tmp_path / "again.npz")
    again, shipped = read_rows(tmp_path / "again.npz"), read_rows(FILE)
    assert labels_of(tmp_path / "again.npz") == labels_of(FILE) and again.row_ids == shipped.row_ids
    for name, rows in shipped.rows.items():  # another machine may round a value that lies between two to either side
        difference = np.abs(again.rows[name] - rows)
        assert difference.max() <= known.GRAIN and (difference == 0).mean() > 0.999


def test_the_run_is_bundled_and_has_a_site_for_each_shape(store):
    run = find_run(store, known.RUN)
    assert is_bundled(run) and run.default_probe == "as-given" and len(run.checkpoints) == 1


# --- what is said of them ---


def seen(longer=1.0, p=(0.05, 0.05), true=1):
    return recovered.Seen(dimension=1, true=true, longer=longer, p=p, longest=0.5, threshold=0.1)


@pytest.mark.parametrize(("given", "right", "said"), [
    (seen(), True, "rightly seen"), (seen(longer=1.9, true=2), True, "rightly seen"),
    (seen(true=0, p=(0.05, 0.1)), True, "rightly none"), (seen(p=(0.05, 0.1)), False, "missed"),
    (seen(longer=5.0, true=2), False, "seen, but as 5.0 bars a draw"),
    (seen(true=0), False, "a false alarm: 1.0 bars a draw")], ids=str)
def test_a_truth_is_recovered_if_both_p_agree_with_it_and_the_count_is_right(given, right, said):
    assert (given.recovered, given.said) == (right, said)


def test_bars_are_counted_against_the_higher_null_and_both_p_are_told():
    found = cell(loop=0.3, dimensions=2)
    merges, loops = recovered.seen(found, SHAPES["circle"])
    assert (merges.true, loops.true) == (0, 1), "one component has no bar of its own"
    assert loops.recovered and loops.longer == 1.0 and len(loops.p) == 2 and max(loops.p) == 1 / 40
    assert loops.threshold == max(null.threshold(1) for null in found.nulls.values()) < loops.longest
    row = recovered.bars_table({"circle": found})[0]
    assert row == {"shape": "circle", "true b0, b1, b2": "1, 1, 0", "H1 bars above the null": "1.0 (p = 0.025, 0.025)",
                   "H0 bars above the null": row["H0 bars above the null"]}
    assert "H1 (b1 = 1) rightly seen: longest bar 0.300" in recovered.about_bars(found, SHAPES["circle"])


def test_a_loop_where_there_is_none_is_named_a_false_alarm_with_its_reason():
    found = {"5-plane": cell(loop=0.3)}
    assert recovered.wrong(found, {}, SHAPES["5-plane"]).startswith("H1 a false alarm: 1.0 bars a draw. A filled cube")
    assert "calls 1 a structure; chance alone would call at most about 0.1" in recovered.summary(found)
    assert recovered.wrong({}, {}, SHAPES["5-plane"]) == ""


def test_an_estimate_beyond_a_fifth_is_named_too_high_or_too_low_and_a_near_one_is_not():
    def estimate(value):
        return {"value": value, "low": None, "high": None}
    values = {("5-plane", "intrinsic_dimension_twonn"): estimate(6.1), ("5-plane", "intrinsic_dimension_mle"):
              estimate(5.9), ("5-plane", "local_pca_dimension"): estimate(3.9), ("5-plane", "correlation_dimension"):
              {"value": None, "low": None, "high": None}, ("5-plane", "intrinsic_dimension_gride"): {
                  "value": 5.0, "low": 4.0, "high": 6.0}, ("5-plane", "intrinsic_dimension_gride_by_scale"): {
                      "value": [5.5, 4.5, float("nan")], "low": None, "high": None}}
    said = recovered.wrong({}, values, SHAPES["5-plane"])
    assert said.startswith("of a dimension of 5, TwoNN 6.1 too high, local PCA 3.9 too low. ") and "MLE" not in said
    row = {one["shape"]: one for one in recovered.dimension_table(values)}["5-plane"]
    assert (row["TwoNN"], row["GRIDE"], row["GRIDE by scale"], row["correlation"], row["persistent homology"]) == (
        "6.1", "5.0 [4.0, 6.0]", "5.5 to 4.5", "undefined", "")


# --- on the rows themselves ---


@pytest.fixture(scope="module")
def tested():
    """Small clouds of some shapes against 19 surrogates, at a seed that is not that of the page."""
    question = computing.Question(points=80, draws=3, surrogates=19, seed=7)
    documents = [str(row) for row in range(known.ROWS)]
    with Workers() as workers:
        return {name: recovered.seen(computing.of_rows(CLOUDS[name], documents, question, workers), SHAPES[name])
                for name in ("circle", "torus", "gaussian")}


def test_the_test_sees_the_loops_of_circle_and_torus_and_none_in_a_gaussian(tested):
    assert tested["circle"][1].recovered and tested["torus"][1].significant
    assert tested["gaussian"][1].recovered and tested["gaussian"][1].longer < 0.5


def test_the_sweep_of_the_page_gives_an_estimate_of_every_shape_and_noise_raises_those_of_near_neighbours(capsys):
    run = find_run(open_store(), known.RUN)
    assert main(recovered.dimension_argv(run)) == 0
    values = recovered.values(open_store(), run)
    assert {name for _, name in values} == set(recovered.ESTIMATORS) and len(values) == 7 * len(SHAPES)
    rows = {row["shape"]: row for row in recovered.dimension_table(values)}
    assert all(row[short] and "undefined" not in row[short] for row in rows.values()
               for short in recovered.ESTIMATORS.values())
    near, *_, far = values["5-plane with noise", "intrinsic_dimension_gride_by_scale"]["value"]
    assert near > 2 * 5 > far and registry.get("intrinsic_dimension_gride_by_scale").returns == "spectrum"


def test_the_map_of_a_shape_has_its_leading_directions_and_the_labels_of_its_rows():
    checkpoint = find_run(open_store(), known.RUN).checkpoints[0]
    circle, spheres, plane = (recovered.map_records(checkpoint, SHAPES[name])
                              for name in ("circle", "two spheres", "5-plane"))
    points = np.array([(row["direction 1"], row["direction 2"]) for row in circle])
    assert points == pytest.approx(directions("circle", 2))
    assert [row["label"] for row in circle] == pytest.approx(known.angles().tolist(), abs=1e-6)
    sides = {label: np.mean([row["direction 1"] for row in spheres if row["label"] == label])
             for label in ("first", "second")}
    assert sides["first"] * sides["second"] < 0 and abs(sides["first"]) == pytest.approx(3, abs=0.1)
    assert {row["label"] for row in plane} == {None}
