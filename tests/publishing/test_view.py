"""A view is its link; what a colleague sends is read field by field, and what is kept is kept once for each owner."""

import json

import pytest

from analysis.errors import ExplorerError
from analysis.keys import Checkpoint, Run
from analysis.publishing import view as views
from analysis.publishing.shelf import Shelf
from analysis.publishing.view import MOST_BYTES, MOST_VIEWS, Seen, View, from_json, to_json

LINK = "trajectories?runs=a+b&runs=c%26d&sites=block+2&log=false&find="


def run(name="mine", source="/data/mine", prints=("1", "2")):
    return Run(name, source, tuple(Checkpoint(name, f"step{i}", i, None, "", one) for i, one in enumerate(prints)))


def fields(**changed):
    return {"name": "A", "note": "B", "link": LINK,
            "runs": [{"name": "c", "source": "hub:owner/model", "weights": "0" * 16}]} | changed


def file(*entries, **top):
    return json.dumps({"schema": 1, "views": list(entries)} | top).encode()


# --- the link ---


def test_a_link_gives_the_page_and_every_choice_in_order_and_comes_back_the_same():
    view = View.of_link(f"https://lab.example/explorer/{LINK}")
    assert (view.page, view.link) == ("trajectories", LINK)
    assert view.query == (("runs", "a b"), ("runs", "c&d"), ("sites", "block 2"), ("log", "false"), ("find", ""))
    assert view.parameters == {"runs": ["a b", "c&d"], "sites": ["block 2"], "log": ["false"], "find": [""]}
    assert view.runs == ["a b", "c&d"]


@pytest.mark.parametrize("link", ["", "/", "http://127.0.0.1:8501/", "http://127.0.0.1:8501"])
def test_the_first_page_has_no_name(link):
    assert View.of_link(link).page == ""


@pytest.mark.parametrize("link", ["../etc/passwd%00", "trajectories/../../x.py", "a b", "javascript:alert(1)",
                                  "http://[bad", "x?" + "a=1&" * 1_001, "x?" + "a" * 9_000])
def test_what_names_no_page_is_refused_with_a_sentence(link):
    with pytest.raises(ExplorerError, match="link"):
        View.of_link(link)


def test_views_are_the_same_whatever_they_are_called_and_however_their_parameters_are_ordered():
    one, same = View.of_link("x?a=1&b=2&b=3", "one"), View.of_link("x?b=2&b=3&a=1", "two", "note")
    assert one.id == same.id
    assert View.of_link("x?a=1&b=3&b=2").id != one.id, "the order of the values of one parameter counts"
    assert View.of_link("y?a=1&b=2&b=3").id != one.id


# --- what is not here ---


def test_a_run_that_is_not_here_is_named_with_the_command_that_opens_it():
    view = View.of_link("x?runs=mine&runs=far")
    known = View(view.page, view.query, seen=(Seen("far", "hub:owner/far", "0" * 16),))
    assert known.absent([run()]) == ["far"]
    (said,) = known.troubles([run()])
    assert "far is not here" in said and "python -m analysis open hub:owner/far --name far" in said
    (said,) = view.troubles([run()])
    assert "Checkpoints" in said and "python" not in said, "nothing tells where it came from"


def test_a_run_of_the_same_name_with_other_weights_or_checkpoints_is_told():
    view = View.of_link("x?runs=mine")
    seen = View(view.page, view.query, seen=(Seen.of(run()),))
    assert seen.troubles([run()]) == []
    for other in (run(prints=("1", "3")), run(prints=("1",))):
        (said,) = seen.troubles([other])
        assert "other weights" in said and seen.absent([other]) == []


def test_the_folder_of_a_run_does_not_leave_this_machine_and_a_repository_does():
    assert b"/data" not in to_json([View(seen=(Seen.of(run()),))])
    assert Seen.of(run(source="hub:owner/model")).source == "hub:owner/model"
    assert Seen.of(run(source="stages: /data/a, hub:owner/model")).source == ""


# --- the file of a colleague ---


def test_views_come_back_from_their_file_as_they_were():
    views = [View.of_link(LINK, "Näme <b>", "line\nline"), View(seen=(Seen("c", "", "f" * 16),))]
    assert from_json(to_json(views)) == views


@pytest.mark.parametrize(("content", "said"), [
    (b"\xff\xfe", "not the JSON"), (b"[" * 100_000, "not the JSON"), (b"[]", "schema 1"), (b"{}", "schema 1"),
    (file(schema=2), "schema 1"), (file(views={}), "schema 1"), (b" " * (MOST_BYTES + 1), "at most"),
    (file(*[fields()] * (MOST_VIEWS + 1)), "at most 500"), (file(fields(), 7), "view 2"), (file([]), "view 1"),
    (file(fields(name=None)), "name must be text"), (file(fields(name="x" * 121)), "at most 120"),
    (file(fields(note=["x"])), "note must be text"), (file(fields(note="x" * 2_001)), "at most 2,000"),
    (file(fields(name="a\0b")), "name must be text"), (file(fields(link="x" * 8_001)), "link must be text"),
    (file(fields(link="../../x")), None), (file(fields(link="a.b?x=1")), "names no page"),
    (file(fields(runs={})), "runs must be a list"), (file(fields(runs=[{}] * 101)), "at most 100"),
    (file(fields(runs=[7])), "name, source and weights"), (file(fields(runs=[{"name": "c"}])), "name, source"),
    (file(fields(runs=[{"name": "c", "source": "/etc", "weights": "0" * 16}])), "hub:OWNER/NAME"),
    (file(fields(runs=[{"name": "c", "source": "hub:a/b; rm -rf /", "weights": "0" * 16}])), "hub:OWNER/NAME"),
    (file(fields(runs=[{"name": "c", "source": "", "weights": "<script>"}])), "16 hexadecimal"),
    (file(fields(runs=[{"name": "c" * 121, "source": "", "weights": "0" * 16}])), "name of a run")])
def test_a_file_that_is_not_of_saved_views_is_refused_and_the_field_named(content, said):
    if said is None:
        assert from_json(content)[0].page == "x", "the folder of a link is no part of it"
        return
    with pytest.raises(ExplorerError, match=said):
        from_json(content, "theirs.json")


# --- what is kept ---


def test_a_view_is_kept_once_and_a_second_saving_renames_it(store):
    shelf = Shelf(store, "me")
    shelf.save(View.of_link(LINK, "one"), saved=1.0)
    shelf.save(View.of_link("pair", "two"), saved=2.0)
    shelf.save(View.of_link(LINK, "three", "note"), saved=3.0)
    assert [(view.name, saved) for view, saved in shelf.listed()] == [("three", 3.0), ("two", 2.0)]


def test_an_edit_changes_name_and_note_and_not_the_place_in_the_list(store):
    shelf = Shelf(store, "me")
    for number, link in enumerate(("a", "b")):
        shelf.save(View.of_link(link), saved=float(number + 1))
    shelf.edit(View.of_link("a"), " new ", " why ")
    assert [(view.page, view.name, view.note) for view, _ in shelf.listed()] == [("b", "", ""), ("a", "new", "why")]


def test_owners_do_not_see_each_other_and_their_names_are_not_in_the_paths(store):
    Shelf(store, "ann@lab.example").save(View.of_link("a"))
    assert Shelf(store, "bob@lab.example").listed() == []
    assert len(Shelf(store, "ann@lab.example").listed()) == 1
    assert not [path for path in store.root.rglob("*") if "ann" in path.name or "lab" in path.name]


def test_a_forgotten_view_is_gone_and_forgetting_it_again_is_no_error(store):
    shelf, view = Shelf(store, "me"), View.of_link(LINK)
    shelf.save(view)
    shelf.forget(view)
    shelf.forget(view)
    assert shelf.listed() == [] and not shelf.has(view)


def test_import_takes_what_is_new_and_leaves_what_is_here_as_it_is(store):
    shelf = Shelf(store, "me")
    shelf.save(View.of_link("a", "my name"))
    new, known = shelf.add([View.of_link("a", "theirs"), View.of_link("b", "b"), View.of_link("b", "again")])
    assert ([view.name for view in new], [view.name for view in known]) == (["b"], ["theirs", "again"])
    assert {view.name for view, _ in shelf.listed()} == {"my name", "b"}


def test_more_views_than_the_limit_are_refused_while_a_kept_one_can_still_be_renamed(store, monkeypatch):
    monkeypatch.setattr("analysis.publishing.shelf.MOST_VIEWS", 2)
    shelf = Shelf(store, "me")
    shelf.add([View.of_link("a"), View.of_link("b")])
    with pytest.raises(ExplorerError, match="2 views are saved already"):
        shelf.save(View.of_link("c"))
    shelf.save(View.of_link("b", "renamed"))
    assert {view.name for view, _ in shelf.listed()} == {"", "renamed"}


def test_a_damaged_view_is_set_aside_and_the_others_stay(store):
    shelf = Shelf(store, "me")
    shelf.add([View.of_link("a"), View.of_link("b")])
    path = store.root / shelf.kind / f"{View.of_link('a').id}.json"
    path.write_bytes(path.read_bytes().replace(b'"a"', b'"x"'))
    with pytest.warns(UserWarning, match="damaged"):
        assert [view.page for view, _ in shelf.listed()] == ["b"]


def test_the_limits_of_a_view_hold_for_what_is_saved_here_too(store):
    with pytest.raises(ExplorerError, match="at most 120"):
        Shelf(store, "me").save(View.of_link("a", "x" * 121))
    assert views.MOST_LETTERS["name"] == 120
