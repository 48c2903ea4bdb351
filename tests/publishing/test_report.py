"""A report is one file that asks for nothing, whatever its texts are; the process that draws its pages may fail."""

import base64
import gzip
import html
import json
import re
import sys
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from analysis.__main__ import main, open_store
from analysis.errors import ExplorerError
from analysis.jobs import job
from analysis.publishing import report_pages
from analysis.publishing import report_parts as parts
from analysis.publishing.report import Section, build
from analysis.publishing.report_pages import Page, draw, drawn
from analysis.publishing.view import View, to_json
from tests.figures.made import record

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(1)> & \" ' =1+1"
VOID = {"meta"}


class Tree(HTMLParser):
    """Elements in order with their attributes, the text outside of scripts, and what was left open."""

    def __init__(self, content):
        super().__init__(convert_charrefs=True)
        self.found, self.text, self.open, self.wrong = [], [], [], []
        self.feed(content.decode())

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data):
        if not {"script", "style"} & set(self.open):
            self.text.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.found if name == tag]


def piece(records=None, **changed):
    records = [record("alpha", step, 3.0 + step / 7) for step in (0, 1, 8)] if records is None else records
    return {"key": "x", "title": "A title", "caption": "n = 9", "records": records,
            "figure": {"data": [{"type": "scatter", "x": [0, 1], "y": [1, 2]}], "layout": {}}} | changed


def section(*pieces, view=None, **page):
    return Section(view or View.of_link("trajectories?runs=alpha", "First", "Seen here"),
                   Page(title="Trajectories", subtitle="One line for each run.", pieces=pieces, **page))


def made(*sections, title="Title", note="Note", date="today"):
    return build(sections or [section(piece())], title, note, date)


def body(content):
    """The file without its scripts and style."""
    return re.sub(rb"<(script|style)\b.*?</\1>", b"", content, flags=re.DOTALL).decode()


# --- the file ---


def test_the_file_is_well_formed_and_its_headings_go_down_one_step_at_a_time():
    tree = Tree(made(section(piece(), piece()), section(piece())))
    assert tree.open == [] and tree.wrong == []
    levels = [int(name[1]) for name, _ in tree.found if re.fullmatch(r"h\d", name)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(b <= a + 1 for a, b in pairwise(levels))
    ids = [attributes["id"] for _, attributes in tree.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = [a["href"][1:] for a in tree.all("a") if a["href"].startswith("#")]
    assert targets and set(targets) <= set(ids)


def test_nothing_in_the_file_is_fetched_and_its_policy_forbids_it():
    content = made()
    (policy,) = [meta["content"] for meta in Tree(content).all("meta") if meta.get("http-equiv")]
    assert policy.startswith("default-src 'none'") and "http" not in policy and "*" not in policy
    assert "connect-src" not in policy, "which falls back to 'none'"
    sources = [value for _, attributes in Tree(content).found for name, value in attributes.items()
               if name in ("src", "href", "srcset", "action")]
    assert all(value.startswith(("#", "data:text/csv")) for value in sources)


def test_plotly_stands_in_it_once_and_not_at_all_where_no_figure_is():
    assert made(section(piece(), piece()), section(piece())).count(b"plotly.js v") == 1
    assert b"plotly.js v" not in made(section())


def test_the_same_views_give_the_same_bytes_except_the_date():
    assert made() == made()
    assert made(date="MONDAY") == made(date="TUESDAY").replace(b"TUESDAY", b"MONDAY")


def test_text_from_strangers_is_text_wherever_it_stands():
    held = piece([record(EVIL, 0, 3.0) | {"revision": EVIL, "site": EVIL, "measure": EVIL}], title=EVIL, caption=EVIL,
                 figure={"data": [{"name": EVIL, "x": [0], "y": [1]}], "layout": {"title": {"text": EVIL}}})
    view = View("trajectories", (("runs", EVIL),), EVIL, EVIL)
    content = build([Section(view, Page(EVIL, EVIL, [("warning", EVIL)], [EVIL], [held]), [EVIL]),
                     Section(view, Page(failed=EVIL))], EVIL, EVIL, "today")
    tree = Tree(content)
    assert tree.wrong == [] and tree.open == []
    assert tree.all("img") == [] and not any(name.startswith("on") for _, a in tree.found for name in a)
    assert len(tree.all("script")) == 3, "the data of one figure, plotly.js and what draws"
    assert "".join(tree.text).count("<script>alert(1)</script>") > 12
    data = re.search(rb'<script type="application/json"[^>]*>(.*?)</script>', content, re.DOTALL)[1]
    assert json.loads(data)["data"][0]["name"] == EVIL and b"<" not in data


# --- what is in it ---


def test_a_view_has_its_name_note_page_link_figure_caption_and_alternative_text():
    content = body(made())
    for said in ("1. First", "Seen here", "From the page “Trajectories”. One line for each run.",
                 "<code>trajectories?runs=alpha</code>", "A title", "<figcaption>n = 9</figcaption>",
                 'aria-label="A title. n = 9"'):
        assert said in content, said


def test_a_view_without_a_name_is_called_by_its_page():
    assert "1. Trajectories" in body(made(section(piece(), view=View.of_link("trajectories?runs=a"))))


def test_messages_and_the_command_for_what_is_missing_are_in_it():
    content = body(made(section(said=[("info", "This is not computed yet."), ("warning", "Beware.")],
                                commands=["python -m analysis sweep alpha"])))
    assert 'class="said info">This is not computed yet.' in content and 'class="said warning">Beware.' in content
    assert "<pre>python -m analysis sweep alpha</pre>" in content and "shows no figure" in content


def test_the_table_shows_the_first_rows_and_the_link_holds_them_all_exactly():
    records = [record("alpha", step, 1 / 3 + step) | {"note": "=cmd"} for step in range(120)]
    content = made(section(piece(records)))
    shown = re.findall(r"<tr>", body(content).split("<details>")[1].split("</details>")[0])
    assert len(shown) == 1 + parts.MOST_ROWS and "the first 50 of 120 rows" in body(content)
    (link,) = [a for a in Tree(content).all("a") if a["href"].startswith("data:")]
    lines = base64.b64decode(link["href"].partition("base64,")[2]).decode().splitlines()
    assert len(lines) == 121 and repr(1 / 3 + 119) in lines[-1] and "'=cmd" in lines[-1]
    assert link["download"] == "view-1-figure-1.csv"


def test_a_large_table_is_compressed_the_same_way_each_time():
    records = [record("alpha", step, float(step)) | {"context": "x" * 1_000} for step in range(2_200)]
    (link,) = [a for a in Tree(made(section(piece(records)))).all("a") if a["href"].startswith("data:")]
    content = base64.b64decode(link["href"].partition("base64,")[2])
    assert link["download"].endswith(".csv.gz") and gzip.decompress(content).count(b"\r\n") == 2_201
    assert made(section(piece(records))) == made(section(piece(records)))


def test_a_large_figure_is_said_to_be_large():
    figure = {"data": [{"type": "scatter", "text": ["x" * 100] * 21_000}], "layout": {}}
    assert "This figure holds 2.2 MB of data" in body(made(section(piece(figure=figure))))
    assert "of data" not in body(made())


def test_the_protocol_names_what_was_measured_on_what():
    protocol = {"probe": "words@1", "policy": "last", "dtype": "float32", "measure_version": 3, "params": {"k": 5}}
    records = [record("alpha", step, 2.0, site=site) | {"measure": "rankme_covariance", "protocol": protocol, "n": 40,
                                                        "d": 16, "low": 1.0, "high": 3.0}
               for step in (0, 8) for site in ("final", "block 2")]
    (row,) = parts.protocols(records)
    assert row["run"] == "alpha" and row["checkpoints"].startswith("2: ") and row["sites"] == "block 2, final"
    assert (row["measure"], row["version"]) == ("RankMe (covariance eigenvalues) k = 5", 3)
    assert (row["probe"], row["rows"], row["precision"], row["n"], row["d"]) == ("words@1", "last", "float32", "40",
                                                                                 "16")
    assert row["interval"] == "jackknife over documents" and row["with nothing to find"] == "none shown"
    others = [one | {"protocol": protocol | {"probe": "other@2"}} for one in records]
    assert len(parts.protocols([*records, *others])) == 2, "protocols are never merged"


def test_both_sides_of_a_pair_are_in_the_protocol_and_in_the_weights():
    protocol = {"probe": "p@1", "policy": "last", "dtype": "float32"}
    pair = {f"{name}_{side}": value for side in "ab" for name, value in {
        "run": f"run {side}", "revision": "step8", "site": "final", "fingerprint": side * 64,
        "protocol": protocol}.items()} | {"measure": "linear_cka_debiased", "value": 0.5, "p": 0.01}
    assert [row["run"] for row in parts.protocols([pair])] == ["run a", "run b"]
    assert parts.protocols([pair])[0]["with nothing to find"] != "none shown"
    assert [row["sha256 of its files"][0] for row in parts.weights([pair])] == ["a", "b"]


def test_methods_cite_references_that_are_listed_and_bibtex_has_them():
    records = [record("alpha", 0, 2.0) | {"measure": "rankme_covariance"},
               record("alpha", 0, 2.0) | {"measure": "stable_rank"}]
    content = body(made(section(piece(records))))
    assert re.findall(r'href="#reference-(\d+)">\[(\d+)\]', content)[:2] == [("1", "1"), ("2", "2")]
    assert "\\cite" not in content.split("BibTeX")[0]
    assert 'id="reference-1">Li et al. (2025)' in content and "@" in content.split("BibTeX")[1]
    assert "li2025tracing" in content and "rudelson2007sampling" in content


# --- the process that draws ---


def stand_in(monkeypatch, code):
    monkeypatch.setattr(report_pages, "COMMAND", (sys.executable, "-c", code))


ECHO = """
import json, sys, time
for line in sys.stdin:
    if "slow" in line: time.sleep(60)
    if "dies" in line: sys.exit("it fell over")
    print(json.dumps({"title": line.strip()}), flush=True)
"""


def test_pages_come_in_their_order_and_one_process_draws_them(monkeypatch):
    stand_in(monkeypatch, ECHO.replace("line.strip()", "line.strip() + ' ' + str(__import__('os').getpid())"))
    titles = [page.title.split() for page in drawn([View.of_link("a?x=1"), View.of_link("b"), View.of_link("")])]
    assert [title[0] for title in titles[:2]] == ["a?x=1", "b"]
    assert len({title[-1] for title in titles}) == 1


@pytest.mark.parametrize(("link", "said"), [("slow", "not drawn after 2 s"), ("dies", "it fell over")])
def test_a_page_that_hangs_or_falls_over_is_given_up_and_the_others_are_drawn(monkeypatch, link, said):
    stand_in(monkeypatch, ECHO)
    pages = list(drawn([View.of_link(name) for name in ("a", link, "b")], timeout_s=2))
    assert [page.title for page in pages] == ["a", "", "b"] and said in pages[1].failed


def test_a_process_that_never_starts_is_told(monkeypatch):
    stand_in(monkeypatch, "raise SystemExit('no such module')")
    pages = list(drawn([View.of_link("a"), View.of_link("b")]))
    assert all("no such module" in page.failed for page in pages) and len(pages) == 2


def test_no_process_is_left_when_nobody_asks_for_the_next_page(monkeypatch):
    stand_in(monkeypatch, ECHO.replace("line.strip()", "str(__import__('os').getpid())"))
    pages = drawn([View.of_link("a"), View.of_link("b")])
    pid = int(next(pages).title)
    assert job._born(pid)
    pages.close()
    assert job._born(pid) is None


def test_a_figure_of_a_link_without_one_is_an_error_that_says_what_the_page_says():
    with pytest.raises(ExplorerError, match="no figure"):
        draw("measures")
    with pytest.raises(ExplorerError, match="There is no page 'nowhere'"):
        draw("nowhere")


# --- the command ---


def test_the_command_writes_a_report_whose_numbers_are_the_stored_ones(tmp_path, capsys):
    views = tmp_path / "views.json"
    views.write_bytes(to_json([View.of_link("similarity?runs=sotu-neox-seed1&runs=sotu-neox-seed2", "Layers"),
                               View.of_link("trajectories?runs=far-away", "Not here")]))
    place = tmp_path / "out" / "report.html"
    assert main(["report", "trajectories?runs=sotu-neox-seed1&sites=block+2", "--views", str(views), "--out",
                 str(place), "--title", "Mine <b>"]) == 0
    said = capsys.readouterr().err
    assert "2 view(s)" in said and "1 could not be drawn" in said and "Not here" in said
    tree, content = Tree(place.read_bytes()), body(place.read_bytes())
    assert "Mine &lt;b&gt;" in content and "The run far-away is not here" in content
    tables = [base64.b64decode(a["href"].partition("base64,")[2]).decode() for a in tree.all("a")
              if a["href"].startswith("data:")]
    assert len(tables) == 2
    from analysis import compute
    from analysis.runs import find_run
    store = open_store()
    stored = compute.records(store, find_run(store, "sotu-neox-seed1"), measure="rankme_covariance", site="block 2",
                             policy="last")
    stored = [one for one in stored if one["protocol"]["probe"].startswith("sotu-held-out@")]
    assert all(repr(one["value"]) in tables[0] for one in stored) and len(stored) == 20
    assert "RankMe" in html.unescape(content) and "Linear CKA, debiased" in content


@pytest.mark.parametrize(("argv", "said"), [
    ([], "No view to report"), (["a.b?x"], "names no page"), (["trajectories?runs=far-away"], "far-away is not here"),
    (["--views", "/nowhere/x.json"], "cannot be read")])
def test_a_report_of_nothing_is_refused_with_a_sentence_and_no_file(argv, said, tmp_path, capsys):
    assert main(["report", *argv, "--out", str(tmp_path / "x.html")]) == 2
    assert said in capsys.readouterr().err and not (tmp_path / "x.html").exists()


def test_sections_tell_what_is_not_as_it_was():
    told = Section(View.of_link("x"), Page(title="X"), ["The run a has other weights."])
    assert "other weights" in body(build([told], "t", "", "d"))
