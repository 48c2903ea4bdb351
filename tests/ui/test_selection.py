"""The selection every page shares: from the URL and into it, kept between pages, the browser's way back, what falls
back, and two people at once."""

from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from analysis.__main__ import open_store
from analysis.runs import find_run
from tests.ui.test_pages import MODULAR, SEED_1, healthy, opened
from ui.selection import FOLLOW_PIN, SHARED

SEED_2 = "sotu-neox-seed2"
PHASE = f"{SEED_1} · entropy-seeking"
SITES = ["embedding", "block 1", "block 2", "block 3", "block 4", "final"]


def script() -> None:
    import streamlit as st

    from ui import selection
    st.session_state.found = selection.pick()
    st.session_state.one = selection.one_site(st.session_state.found)
    st.session_state.link = selection.shared(point="here", empty="")


def session(**query: Any) -> AppTest:
    """The pickers alone, as a browser that follows a link shows them."""
    st.cache_resource.clear()
    at = AppTest.from_function(script, default_timeout=60)
    for name, value in query.items():
        at.query_params[name] = value
    at.run()
    healthy(at)
    return at


def found(at: AppTest) -> Any:
    return at.session_state.found


def url(at: AppTest) -> dict[str, list[str]]:
    return {name: [value] if isinstance(value, str) else list(value) for name, value in at.query_params.items()}


@pytest.fixture
def move(monkeypatch):
    """A function that opens another page of a session, whose address has no selection, as the navigation does."""
    address = ["spectra"]
    monkeypatch.setattr(type(st.context), "url", property(lambda _: f"http://here/{address[0]}"))

    def to(at: AppTest, page: str, **query: Any) -> AppTest:
        address[0] = page
        at.switch_page(f"../pages/{page}.py")
        return go_to(at, **query)
    return to


def go_to(at: AppTest, **query: Any) -> AppTest:
    """The browser's way back: another URL, and no widget was touched."""
    for name in list(at.query_params):
        del at.query_params[name]
    for name, value in query.items():
        at.query_params[name] = value
    return at.run()


# --- from the URL and into it ---


@pytest.mark.parametrize(("query", "told"), [
    ({"runs": [SEED_2]}, lambda s: [run.name for run in s.runs]),
    ({"probe": ["numbers-mod-59"]}, lambda s: [s.probe]), ({"rows": ["mean"]}, lambda s: [str(s.protocol.policy)]),
    ({"sites": ["block 1", "final"]}, lambda s: list(s.sites)), ({"at": ["step8", "step512"]}, lambda s: list(s.at)),
    ({"pin": [f"{SEED_1}@step512"]}, lambda s: [s.reference.name]), ({"pin": [PHASE]}, lambda s: [s.reference.name]),
    ({"pin": [f"{MODULAR}@step10000"]}, lambda s: [s.reference.name])],
    ids=["runs", "probe", "rows", "sites", "at", "checkpoint", "phase", "model"])
def test_a_link_restores_each_part_of_the_selection_and_keeps_it(query, told):
    at = session(**query)
    values, = query.values()
    assert told(found(at)) == values and url(at) == query
    assert at.run() and told(found(at)) == values and url(at) == query, "and after the next click"


@pytest.mark.parametrize(("key", "value", "written"), [
    ("runs", [SEED_1], [SEED_1]), ("sites", ["block 2"], ["block 2"]), ("at", ["step8"], ["step8"]),
    ("probe", "numbers-mod-59", ["numbers-mod-59"]), ("rows", "mean", ["mean"]),
    ("pin", f"{SEED_1}@step8", [f"{SEED_1}@step8"])])
def test_a_choice_enters_the_url_and_the_usual_one_leaves_it(key, value, written):
    at = session()
    assert url(at) == {}
    picker = at.multiselect(key=key) if isinstance(value, list) else at.selectbox(key=key)
    usual = picker.value
    picker.set_value(value).run()
    assert url(at) == {key: written}
    (at.multiselect(key=key) if isinstance(value, list) else at.selectbox(key=key)).set_value(usual).run()
    assert url(at) == {}


def test_an_old_link_that_names_one_site_chooses_it():
    at = session(site="block 2")
    assert found(at).sites == ("block 2",) and url(at) == {"sites": ["block 2"]}


def test_sites_and_checkpoints_stand_in_the_order_of_the_network_and_of_training():
    at = session(sites=["final", "embedding", "block 2"], at=["step512", "step8"])
    assert found(at).sites == ("embedding", "block 2", "final") and found(at).site == "final"
    assert found(at).known_sites == tuple(SITES)
    assert found(at).at == ("step8", "step512") == tuple(found(at).revisions(["step0"]))
    assert found(session()).revisions(["step0"]) == ["step0"], "where none is chosen a page takes its own"


def test_without_a_chosen_site_the_deepest_is_looked_at():
    at = session(sites=["block 1"])
    at.multiselect(key="sites").set_value([]).run()
    assert found(at).sites == ("final",)


def test_a_page_of_one_site_shows_the_deepest_of_several_until_another_is_clicked():
    at = session(sites=["block 1", "block 2"])
    assert at.session_state.one == "block 2" and "site" not in url(at)
    at.segmented_control(key="site").set_value("block 1").run()
    assert at.session_state.one == "block 1" and url(at)["site"] == ["block 1"]
    assert session(sites=["block 1", "block 2"], site="block 1").session_state.one == "block 1"
    at.multiselect(key="sites").set_value(["block 2"]).run()
    assert at.session_state.one == "block 2" and "site" not in url(at)


def test_a_link_to_another_page_carries_the_selection_and_what_is_named_beside_it():
    at = session(runs=SEED_1, sites=["block 1", "final"], pin=PHASE)
    assert at.run().session_state.link == {
        "runs": [SEED_1], "sites": ["block 1", "final"], "pin": [PHASE], "point": "here"}


# --- what falls back ---


@pytest.mark.parametrize("query", [
    {"runs": "no-such-run"}, {"probe": "/etc/passwd"}, {"rows": "every-0"}, {"sites": "block 99"}, {"site": "block x"},
    {"at": "step3"}, {"pin": "no-such-run@step0"}, {"pin": f"{SEED_1}@step3"}, {"pin": "<script>"}, {"pin": ""},
    {"dtype": "int3"}], ids=str)
def test_a_wrong_value_in_a_link_falls_back_and_does_not_stay(query):
    at, usual = session(**query), session()
    assert found(at) == found(usual) and url(at) == {}


def test_what_is_known_of_a_link_is_kept_beside_what_is_not():
    at = session(sites=["block 1", "block 99"], at=["step3", "step8"])
    assert found(at).sites == ("block 1",) and found(at).at == ("step8",)
    assert url(at) == {"sites": ["block 1"], "at": ["step8"]}


def test_a_phase_is_that_of_the_chosen_site_and_no_reference_where_there_is_none():
    at = session(pin=PHASE, sites="embedding")
    assert found(at).reference.is_phase and "(step1024 to step4000)" in found(at).reference.says
    at.multiselect(key="sites").set_value(["final"]).run()
    assert "(step512 to step2000)" in found(at).reference.says and url(at) == {"pin": [PHASE]}
    at = session(pin=f"{SEED_1} · warmup", sites="embedding")
    assert found(at).reference.name == f"{SEED_1} · warmup"
    at.multiselect(key="sites").set_value(["final"]).run()
    healthy(at)
    assert found(at).reference is None and url(at) == {}


def test_a_pin_stays_when_its_run_is_not_chosen_any_more():
    at = session(pin=f"{SEED_2}@step512")
    assert found(at).reference.name == f"{SEED_2}@step512" and found(at).pinned == ()
    at.multiselect(key="runs").set_value([SEED_1]).run()
    assert found(at).reference.name == f"{SEED_2}@step512"
    assert url(at) == {"runs": [SEED_1], "pin": [f"{SEED_2}@step512"]}
    at.selectbox(key="pin").set_value(f"{SEED_2}@step16000").run()
    assert found(at).reference.last == find_run(open_store(), SEED_2).checkpoints[-1]
    assert [run.name for run in found(at).pinned] == [SEED_2]
    assert list(found(at).sides) == [SEED_1, SEED_2], "a comparison of two can name it"


def test_the_reference_is_said_beside_the_rest_of_the_selection():
    said = session(pin=PHASE, at="step8").caption[0].value
    assert f"against {PHASE} (step512 to step2000)" in said and "step8" in said and SEED_2 in said


# --- the browser's way back ---


def test_the_way_back_restores_what_was_chosen_before_and_the_way_forward_what_was_after():
    at = session()
    at.multiselect(key="sites").set_value(["block 1", "final"]).run()
    at.multiselect(key="sites").set_value(["block 1", "block 2", "final"]).run()
    go_to(at, sites=["block 1", "final"])
    assert at.multiselect(key="sites").value == ["block 1", "final"] and found(at).sites == ("block 1", "final")
    go_to(at)
    assert found(at).sites == ("final",) and url(at) == {}
    go_to(at, sites=["block 1", "final"])
    assert found(at).sites == ("block 1", "final") and url(at) == {"sites": ["block 1", "final"]}


@pytest.mark.parametrize(("key", "value"), [("rows", "mean"), ("probe", "numbers-mod-59"), ("pin", PHASE)])
def test_the_way_back_restores_a_single_choice_too(key, value):
    at = session()
    usual = at.selectbox(key=key).value
    at.selectbox(key=key).set_value(value).run()
    assert go_to(at).selectbox(key=key).value == usual
    assert go_to(at, **{key: value}).selectbox(key=key).value == value


def test_a_choice_after_the_way_back_wins_over_the_url_that_it_changes():
    at = session(sites=["block 1"])
    go_to(at, sites=["block 2"])
    at.multiselect(key="sites").set_value(["block 3"]).run()
    assert found(at).sites == ("block 3",) and url(at) == {"sites": ["block 3"]}
    assert at.run() and found(at).sites == ("block 3",), "and stays"


def test_the_way_back_to_a_wrong_value_is_the_usual_one():
    at = session(sites=["block 1"])
    go_to(at, sites=["block 99"])
    assert found(at).sites == ("final",) and url(at) == {}


# --- between pages ---


def test_another_page_keeps_the_whole_selection_though_its_navigation_drops_the_url(move):
    query = {"runs": [SEED_2], "rows": ["last"], "sites": ["block 1", "final"], "at": ["step8"],
             "pin": [f"{SEED_2}@step512"]}
    at = opened("spectra", **query)
    kept = url(at)
    assert kept == {name: value for name, value in query.items() if name != "rows"}
    for page in ("trajectories", "overview", "spectra"):
        healthy(move(at, page))
        assert {name: value for name, value in url(at).items() if name in SHARED} == kept, page


def test_the_way_back_to_the_address_that_a_page_was_opened_with_keeps_the_selection(move):
    at = opened("spectra", sites=["block 1"])
    move(at, "sample_size")
    assert url(at) == {"sites": ["block 1"]}
    go_to(at)
    assert at.multiselect(key="sites").value == ["block 1"] and url(at) == {"sites": ["block 1"]}
    at.multiselect(key="sites").set_value(["block 2"]).run()
    go_to(at, sites=["block 1"])
    assert at.multiselect(key="sites").value == ["block 1"]


def test_a_link_within_a_session_decides_over_what_was_chosen(move):
    at = opened("spectra", runs=[SEED_1], sites=["block 1"])
    move(at, "trajectories", runs=SEED_2, sites=["block 3"], pin=f"{SEED_2}@step8")
    assert at.multiselect(key="runs").value == [SEED_2] and at.multiselect(key="sites").value == ["block 3"]
    assert at.selectbox(key="pin").value == f"{SEED_2}@step8"


def test_two_people_choose_for_themselves():
    one, other = session(), session()
    one.multiselect(key="sites").set_value(["block 1"]).run()
    other.selectbox(key="pin").set_value(f"{SEED_1}@step8").run()
    one.run()
    assert (found(one).sites, found(one).reference) == (("block 1",), None)
    assert found(other).sites == ("final",) and found(other).reference.name == f"{SEED_1}@step8"
    assert url(one) == {"sites": ["block 1"]} and url(other) == {"pin": [f"{SEED_1}@step8"]}


# --- fields that begin at the reference ---


def test_no_field_that_follows_the_reference_is_a_part_of_the_shared_selection():
    assert not set(FOLLOW_PIN) & {*SHARED, "site"}


def test_a_field_follows_the_reference_until_it_is_chosen_and_again_when_another_is_pinned():
    at = opened("drift", runs=SEED_1)
    assert at.selectbox(key="reference").value == "its first checkpoint"
    at.selectbox(key="pin").set_value(f"{SEED_1}@step512").run()
    assert at.selectbox(key="reference").value == "the reference" and "reference" not in url(at)
    at.selectbox(key="reference").set_value("step8").run()
    assert at.selectbox(key="reference").value == "step8" and url(at)["reference"] == ["step8"]
    at.selectbox(key="pin").set_value(f"{SEED_1}@step64").run()
    assert at.selectbox(key="reference").value == "the reference" and "reference" not in url(at)
    at.selectbox(key="pin").set_value("none").run()
    assert at.selectbox(key="reference").value == "its first checkpoint"
    healthy(at)


def test_a_link_that_chooses_another_field_value_beside_a_pin_keeps_it():
    at = opened("drift", runs=SEED_1, pin=f"{SEED_1}@step512", reference="step8")
    assert at.selectbox(key="reference").value == "step8" and at.run().selectbox(key="reference").value == "step8"
