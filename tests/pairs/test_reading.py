"""Each rule on made-up values where it holds and where it does not: sentences with the numbers in them."""

from dataclasses import replace

import pytest

from analysis import registry
from analysis.pairs import reading, sheet, shown
from analysis.pairs.reading import findings

NULL = {"null_mean": 0.0, "threshold": 0.0, "p": 0.005, "draws": 199}
AGREE = 0.7


def line(name, value, width=0.01, **given):
    """A line whose calibrated value is the value itself, or 1 less it where 0 is equal."""
    measure = registry.get(name)
    smaller = measure.smaller_is_closer
    null = NULL | ({"null_mean": 1.0, "threshold": 1.0} if smaller else {})
    made = shown.Line(measure=measure, value=value, low=None if width is None else value - width,
                      high=None if width is None else value + width, **(null | given))
    return replace(made, calibrated=made.place(value))


def said(**values):
    """What the rules say where every measure is 0.7, but those given."""
    usual = {m.name: 1 - AGREE if m.smaller_is_closer else AGREE for m in sheet.measures() if m.equal is not None}
    return findings([value if isinstance(value, shown.Line) else line(name, value)
                     for name, value in (usual | values).items()])


def titles(**values):
    return [finding.title for finding in said(**values)]


def test_where_no_rule_fires_the_measures_agree_and_the_sentence_gives_the_range():
    found, = said()
    assert found.title == "They agree" and not found.differs and found.sentence.count("0.70 calibrated") == 2


RULES = [
    ("Same subspace, other weights of its directions", {"linear_cka_debiased": 0.3, "linear_cka_biased": 0.3,
     "linear_cka_debiased_head_removed": 0.3, "rbf_cka_debiased": 0.3, "mutual_knn_cosine": 0.3}),
    ("Strong directions are shared, many weak ones are not", {"cca_r2": 0.35}),
    ("One direction makes the likeness", {"linear_cka_debiased_head_removed": 0.4}),
    ("One direction hides the likeness", {"linear_cka_debiased_head_removed": 1.0}),
    ("The layout agrees, neighbourhoods do not", {"mutual_knn_cosine": 0.35}),
    ("B is linearly more in A than the other way round", {"linear_regression_r2": 0.95}),
    ("A is linearly more in B than the other way round", {"linear_regression_r2_reverse": 0.95}),
    ("B is in its neighbourhoods more in A than the other way round", {"information_imbalance": 0.05}),
    ("Too few rows for these widths", {"linear_cka_biased": 0.95}),
    ("The lengths of rows, or a common offset, matter", {"rsa_euclidean_spearman": 0.5,
     "rsa_euclidean_pearson": 0.5}),
    ("The mean over features matters", {"rsa_correlation_spearman": 0.5}),
    ("A few large distances matter", {"rsa_euclidean_pearson": 0.95}),
    ("Near pairs agree better than far ones", {"trsa_global": 0.4}),
    ("Far pairs agree better than near ones", {"trsa_local": 0.4}),
    ("Who is near whom agrees better than how near", {"trsa_geometry": 0.4}),
    ("Near rows agree better than far ones", {"rbf_cka_debiased": 1.0}),
    ("Far rows carry the likeness", {"rbf_cka_debiased": 0.4}),
]


@pytest.mark.parametrize(("title", "values"), RULES, ids=[title for title, _ in RULES])
def test_a_rule_fires_alone_where_its_measures_differ_and_says_their_numbers(title, values):
    found, = said(**values)
    assert found.title == title and found.differs
    assert any(f"{value:.2f}" in found.sentence for value in values.values()), found.sentence


@pytest.mark.parametrize(("title", "values"), RULES, ids=[title for title, _ in RULES])
def test_a_quarter_of_such_a_difference_is_not_named(title, values):
    def nearer(name, value):
        usual = 1 - AGREE if registry.get(name).smaller_is_closer else AGREE
        return usual + (value - usual) * 0.25
    assert titles(**{name: nearer(name, value) for name, value in values.items()}) == ["They agree"]


def test_neighbours_far_above_cka_are_named():
    low = dict.fromkeys(["linear_cka_debiased", "linear_cka_biased", "linear_cka_debiased_head_removed",
                         "rbf_cka_debiased", "linear_regression_r2", "linear_regression_r2_reverse", "cca_r2"], 0.3)
    assert titles(**low) == ["Neighbourhoods agree, the layout does not"]


def test_a_difference_that_both_intervals_cover_says_nothing():
    wide = {"linear_cka_debiased": line("linear_cka_debiased", 0.7, 0.2),
            "linear_cka_debiased_head_removed": line("linear_cka_debiased_head_removed", 0.4, 0.2)}
    assert titles(**wide) == ["They agree"]


def test_measures_that_are_not_above_their_shuffles_are_named_with_their_p():
    found, = said(cca_mean=line("cca_mean", 0.8, p=0.4))
    assert found.title == "Some measures see nothing beyond chance"
    assert "CCA, mean correlation (p = 0.4)" in found.sentence and found.sentence.startswith("1 of ")


def test_where_nothing_is_above_chance_that_is_said_first_and_no_disagreement_is_made_of_it():
    found = findings([line(m.name, 0.0, p=0.5) for m in sheet.measures() if m.equal == 1.0])
    assert [f.title for f in found] == ["They agree", "Nothing beyond chance"]


def test_values_that_are_high_by_chance_are_to_be_read_calibrated():
    found = said(rsa_cosine_cosine=line("rsa_cosine_cosine", 0.99, null_mean=0.93, threshold=0.94))
    high, = [finding for finding in found if finding.title == "High by chance"]
    assert not high.differs and "RSA, cosine, cosine (0.99, by chance 0.93)" in high.sentence


def test_chance_of_documents_above_chance_of_rows_is_named():
    found = said(linear_cka_biased=line("linear_cka_biased", 0.8, chance=0.02, null_mean=0.12))
    alike, = [finding for finding in found if finding.title == "Rows of one document are alike"]
    assert "Linear CKA, biased (0.12 and 0.02)" in alike.sentence and not alike.differs


def test_undefined_measures_and_a_sheet_without_measures_say_nothing():
    assert findings([]) == []
    undefined = shown.Line(measure=registry.get("linear_cka_debiased"), reason="all rows are the same")
    assert findings([undefined]) == []


def test_every_measure_that_a_rule_names_exists():
    named = {value for name, value in vars(reading).items() if name.isupper() and isinstance(value, str)}
    assert named <= {measure.name for measure in sheet.measures()} and len(named) > 12
