"""Reading a map of points: colours, new neighbours, searches, words and files, on maps made by hand."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from analysis.extraction.probes import Probe, Text
from analysis.maps import faithfulness, reading
from tests.maps.made import made

PROBE = Probe("made", tuple(Text(f"text{i}", f"text{i}", "words", {"half": "late" if i > 4 else "early", "n": str(i)})
                            for i in range(10)))


# --- neighbours ---


def test_new_neighbours_are_those_that_the_frame_of_reference_does_not_have():
    neighbours = np.array([[[1, 2, 3]], [[3, 2, 1]], [[1, 4, 5]], [[4, 5, 1]]])
    found = made(drawn=1, searched=6, frames=4, neighbours=neighbours)
    assert reading.new(found)[:, 0].tolist() == [
        [False] * 3, [False] * 3, [False, True, True], [True, True, False]]
    assert reading.new(found, reading.PREVIOUS)[:, 0].tolist() == [
        [False] * 3, [False] * 3, [False, True, True], [False] * 3]
    assert reading.change(found)[:, 0].tolist() == [0, 0, 2 / 3, 2 / 3]
    assert reading.change(found, reading.PREVIOUS)[:, 0].tolist() == [0, 0, 2 / 3, 0]


def test_the_order_of_neighbours_makes_no_change():
    found = made()
    turned = made(neighbours=found.neighbours[:, :, ::-1])
    assert np.array_equal(reading.change(found), reading.change(turned))


def test_change_agrees_with_sets_counted_one_by_one():
    found = made(drawn=30, searched=50, frames=4, k=6, neighbours=np.stack([
        np.stack([np.random.default_rng([f, i]).choice(50, 6, replace=False) for i in range(30)]) for f in range(4)]))
    slow = [[1 - len(set(found.neighbours[f, i]) & set(found.neighbours[0, i])) / 6 for i in range(30)]
            for f in range(4)]
    assert np.allclose(reading.change(found), slow, rtol=1e-12)


def test_random_neighbours_change_as_much_as_chance_says():
    rng = np.random.default_rng(0)
    others = [np.delete(np.arange(60), i) for i in range(50)]
    drawn = np.stack([np.stack([rng.choice(rest, 10, replace=False) for rest in others]) for _ in range(40)])
    found = made(drawn=50, searched=60, frames=40, neighbours=drawn)
    changes = reading.change(found)[1:]
    assert reading.chance_of_change(found) == 1 - 10 / 59
    sigma = changes.mean(axis=0).std(ddof=1) / np.sqrt(50)
    assert abs(changes.mean() - reading.chance_of_change(found)) < 4 * sigma


def test_real_clouds_that_only_turn_and_grow_keep_their_neighbours():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(40, 8))
    turned = 3 * x @ np.linalg.qr(rng.normal(size=(8, 8)))[0]
    clouds = [x, turned, rng.normal(size=(40, 8))]
    nearest = np.stack([np.argsort(cdist(cloud, cloud), axis=1)[:, 1:6] for cloud in clouds])
    found = made(drawn=40, searched=40, frames=3, neighbours=nearest)
    same, other = reading.change(found)[1:].mean(axis=1)
    assert same == 0 and abs(other - reading.chance_of_change(found)) < 0.1


def test_the_table_of_neighbours_has_a_line_for_each_rank_and_marks_what_is_new():
    found = made(drawn=2, searched=6, frames=2, neighbours=np.array([[[1, 2], [0, 2]], [[2, 5], [0, 2]]]))
    counts, first, second = reading.neighbour_table(found, 0, reading.FIRST)
    assert first == {"rank": "1", "step0": "war · before 1 war after", "step1": "the · before 2 the after"}
    assert second["step1"] == f"{reading.NEW} war · before 5 war after"
    assert counts == {"rank": "new", "step0": "0 of 2", "step1": "1 of 2"}


def test_a_row_without_token_and_text_is_told_by_its_id_and_its_label():
    found = made(tokens=("",) * 20, contexts=("",) * 20)
    assert reading.told(found, 3) == "text1@2"
    assert reading.told(found, 3, [str(i) for i in range(20)]) == "text1@2 [3]"


def test_spaces_and_line_ends_of_a_token_can_be_seen():
    found = made(tokens=(" of", "\n") + ("x",) * 18)
    assert [reading.told(found, row).split(" · ")[0] for row in (0, 1, 2)] == ["' of'", "'\\n'", "x"]


# --- colours ---


def test_labels_are_those_of_the_text_of_each_row():
    labels = reading.labels_of(PROBE, made(), several=True)
    assert labels["n"] == [str(i // 2) for i in range(20)]
    assert labels["half"] == ["early"] * 10 + ["late"] * 10


def test_a_text_whose_id_looks_like_a_place_is_found_where_rows_are_one_a_text():
    probe = Probe("odd", (Text("text0@1", "a", "words", {"kind": "odd"}),))
    found = made(row_ids=("text0@1", *(f"t{i}" for i in range(19))))
    assert reading.labels_of(probe, found, several=False)["kind"] == ["odd"] + [""] * 19
    assert reading.labels_of(probe, found, several=True) == {}


def test_few_values_are_groups_in_order_of_their_numbers_and_hold_every_point_once():
    found = made()
    colours = reading.colouring(found, "label n", reading.labels_of(PROBE, found, True))
    assert [name for name, _ in colours.groups] == [str(i) for i in range(6)] and colours.values is None
    assert sorted(np.concatenate([rows for _, rows in colours.groups])) == list(range(12))


def test_many_numbers_are_a_scale_and_a_missing_one_is_no_number():
    found = made(drawn=20)
    colours = reading.colouring(found, "label year", {"year": ["", *(str(1800 + i) for i in range(19))]})
    assert colours.groups == () and colours.values.shape == (1, 20)
    assert np.isnan(colours.values[0, 0]) and colours.values[0, 1:].tolist() == list(range(1800, 1819))


def test_of_many_words_the_most_frequent_are_named():
    held = [f"w{i}" for i in range(30)] + ["common"] * 5 + ["rare"]
    found = made(drawn=36, searched=36, tokens=tuple(held))
    groups = reading.colouring(found, reading.TOKEN, {}).groups
    assert len(groups) == reading.MOST_NAMED and groups[0][0] == "common"
    assert groups[0][1].tolist() == list(range(30, 35))


def test_tokens_that_differ_by_a_space_are_two_groups_that_can_be_told_apart():
    found = made(tokens=("war", " war") * 10)
    assert [name for name, _ in reading.colouring(found, reading.TOKEN, {}).groups] == ["' war'", "war"]


def test_norm_and_new_neighbours_have_a_number_at_each_frame():
    found = made()
    assert np.array_equal(reading.colouring(found, reading.NORM, {}).values, found.norms)
    assert np.array_equal(reading.colouring(found, reading.CHANGE, {}, reading.PREVIOUS).values,
                          reading.change(found, reading.PREVIOUS))


def test_the_position_in_the_text_is_the_end_of_a_row_name():
    found = made(row_ids=("a@7", "b@c12", *(f"t@{i}" for i in range(18))))
    assert reading.colouring(found, reading.PLACE_IN_TEXT, {}).values[0, :4].tolist() == [7, 12, 0, 1]


@pytest.mark.parametrize(("given", "absent"), [
    ({"tokens": ("",) * 20}, reading.TOKEN), ({"frames": 1}, reading.CHANGE),
    ({"documents": tuple(f"d{i}" for i in range(20))}, reading.DOCUMENT)], ids=str)
def test_what_is_the_same_or_different_for_all_points_is_no_colour(given, absent):
    assert absent in reading.ways(made(), {}, several=True)
    assert absent not in reading.ways(made(**given), {}, several=True)


def test_a_label_named_like_another_way_is_kept_apart():
    words = reading.ways(made(), {"norm": [str(i) for i in range(20)]}, several=False)
    assert next(iter(words)) == "label norm" and reading.NORM in words and reading.PLACE_IN_TEXT not in words
    assert len(set(words.values())) == len(words)


# --- search and selection ---


def test_a_search_finds_whole_tokens_first_and_then_what_holds_the_text():
    found = made(contexts=("peaceful times", *(f"before {i}" for i in range(1, 20))),
                 tokens=("no", *made().tokens[1:]))
    assert reading.search(found, " PEACE ") == [4, 8, 12, 16, 0]
    assert reading.search(found, "text9@2") == [19]


@pytest.mark.parametrize("text", ["", "   ", "zebra"])
def test_a_search_for_nothing_or_for_what_is_not_there_finds_nothing(text):
    assert reading.search(made(), text) == []


def test_the_frame_on_show_is_told_by_the_places_of_the_points_even_when_rounded():
    found = made(frames=5, drawn=12)
    for frame in range(5):
        at = found.positions[frame, [2, 7]].astype(np.float32).tolist()
        assert reading.frame_at(found, [2, 7], at) == frame


# --- words and files ---


def test_the_caption_says_how_many_rows_are_drawn_searched_and_there():
    said = reading.caption(made(), "Probe made.")
    assert said.startswith("12 drawn of 20 searched of 40 rows, seed 0. ") and said.endswith(" Probe made.")
    assert "4 nearest" in said and made().alignment in said


def test_each_frame_says_its_own_faithfulness_and_its_chance():
    found = made(drawn=31)
    assert reading.faith(found, 0) != reading.faith(found, 1)
    assert "neighbourhood overlap 0.49 (by chance 0.5)" in reading.faith(found, 1)


def test_a_map_by_pca_says_how_much_variance_it_shows():
    facts = tuple({**one, "variance_explained": 0.25} for one in made().facts)
    assert "variance shown 25%" in reading.faith(made(drawn=31, facts=facts), 0)


def test_maps_that_know_nothing_of_the_full_space_have_the_facts_that_chance_says():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(60, 10))
    got = [faithfulness.facts(x, rng.normal(size=(60, 2)), 15) for _ in range(60)]
    for name, chance in reading.by_chance(made(drawn=60, searched=60)).items():
        values = np.array([facts[name] for facts in got])
        assert abs(values.mean() - chance) < 4 * values.std(ddof=1) / np.sqrt(len(values)), name


def test_the_table_to_take_away_has_every_drawn_point_at_every_frame():
    found = made()
    labels = reading.labels_of(PROBE, found, True)
    rows = reading.records(found, labels, reading.FIRST, [{"revision": f"r{f}"} for f in range(3)])
    assert len(rows) == 36
    third = rows[2 * 12 + 5]
    assert (third["frame"], third["revision"], third["row"], third["label_n"]) == ("step2", "r2", "text2@2", "2")
    assert (third["x"], third["y"]) == tuple(found.positions[2, 5]) and third["norm"] == found.norms[2, 5]
    assert third["new_neighbours"] == reading.change(found)[2, 5]
    assert third["neighbours"] == [found.row_ids[near] for near in found.neighbours[2, 5]]


def test_the_words_of_a_search_count_what_is_on_the_map():
    found = made()
    assert "5 of 20 rows hold the text; 3 of them are drawn" in reading.found_words(found, reading.search(found, "war"))


def test_neighbours_are_new_since_a_frame_that_is_named():
    neighbours = np.array([[[1, 2, 3]], [[3, 2, 1]], [[1, 4, 5]], [[4, 5, 1]]])
    found = made(drawn=1, searched=6, frames=4, neighbours=neighbours)
    assert reading.new(found, "step2")[:, 0].tolist() == [
        [False, True, True], [True, True, False], [False] * 3, [False] * 3]
    assert reading.change(found, "step2")[:, 0].tolist() == [2 / 3, 2 / 3, 0, 0]
    assert "that step2 does not have" in reading.neighbour_words(found, "step2")
