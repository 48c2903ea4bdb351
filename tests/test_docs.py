"""What the documents say is what the code does. `python -m tests.test_docs` writes the README's measure table."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from analysis import registry
from analysis.__main__ import _parser

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
TABLE = re.compile(r"(<!-- measures -->\n)(.*?)(<!-- /measures -->)", re.DOTALL)
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *(path for folder in ("docs", "demo", "cache")
                                           for path in sorted((ROOT / folder).rglob("*.md")))]
RECORDS = sorted((ROOT / "docs" / "adr").glob("*.md"))


def measure_table() -> str:
    """Every measure in a row: its name, its label, what it says and the key of its source in references.bib."""
    rows = [(f"`{m.name}`", m.label, m.summary, m.reference) for m in registry.all_measures().values()]
    lines = ["| name | measure | says | source |", "|---|---|---|---|",
             *("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows)]
    return "\n".join(lines) + "\n"


def with_table(text: str) -> str:
    """The README's text with the table between its two marks renewed."""
    renewed, count = TABLE.subn(lambda found: found[1] + measure_table() + found[3], text)
    if count != 1:
        raise SystemExit("README.md must hold <!-- measures --> and <!-- /measures --> once, on lines of their own.")
    return renewed


def section(title: str) -> str:
    """The text of one README section, its heading left out."""
    return README.read_text(encoding="utf-8").split(f"\n## {title}\n")[1].split("\n## ")[0]


def fences(text: str) -> list[str]:
    return re.findall(r"```\w*\n(.*?)```", text, re.DOTALL)


def tree_paths() -> set[str]:
    """Every path that the README's file tree names, relative to the root."""
    found, folder = set(), ""
    for line in fences(section("File tree"))[0].splitlines():
        names = re.match(r"\s*(\S+(?: \S+)*)", line)[1].split(" ")
        inside = line.startswith("  ")
        if not inside:
            folder = names[0] if names[0].endswith("/") else ""
        found |= {(folder if inside else "") + name for name in names}
    return found


def commands() -> list[str]:
    """Every line of a document or page that a reader would paste into a terminal."""
    pages = [path for name in ("pages", "ui") for path in sorted((ROOT / name).glob("*.py"))]
    lines = [line.strip() for path in [*DOCUMENTS, *pages] for line in path.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line.startswith("python -m analysis ")]


# --- measures ---


def test_the_readme_lists_the_measures_of_the_registry_word_for_word():
    assert TABLE.search(README.read_text(encoding="utf-8"))[2] == measure_table(), \
        "the table is stale: run python -m tests.test_docs"


def test_the_measure_table_has_a_row_of_four_cells_for_every_measure():
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in measure_table().splitlines()[2:]]
    assert [row[0].strip(" `") for row in rows] == list(registry.all_measures())
    assert all(len(row) == 4 and all(cell.strip() for cell in row) for row in rows)


def test_writing_the_table_replaces_what_stood_there_and_leaves_the_rest():
    stale = "before\n<!-- measures -->\nold\n<!-- /measures -->\nafter\n"
    written = with_table(stale)
    assert written == f"before\n<!-- measures -->\n{measure_table()}<!-- /measures -->\nafter\n"
    assert with_table(written) == written


def test_a_readme_without_the_marks_is_refused():
    with pytest.raises(SystemExit, match="measures"):
        with_table("no marks")


# --- the tree and the set-up ---


def test_every_path_of_the_file_tree_exists():
    assert "analysis/measures/" in tree_paths()
    assert [path for path in sorted(tree_paths()) if not (ROOT / path).exists()
            or path.endswith("/") != (ROOT / path).is_dir()] == []


def test_every_tracked_entry_of_the_top_level_is_in_the_file_tree():
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    tops = {path.split("/")[0] + ("/" if "/" in path else "") for path in listed.splitlines()}
    assert "app.py" in tops
    assert sorted(tops - {re.sub(r"/.*", "/", path) for path in tree_paths()}) == []


def test_every_module_of_analysis_measures_and_pages_is_in_a_folder_of_the_file_tree():
    folders = {str(path.parent.relative_to(ROOT)) + "/" for top in ("analysis", "pages", "ui")
               for path in (ROOT / top).rglob("*.py")}
    assert sorted(folders - tree_paths()) == []


def test_setting_up_takes_two_commands():
    block, = fences(section("Set-up"))
    assert [line.split("#")[0].strip() for line in block.splitlines()] == ["make run", "make test"]


def test_make_help_lists_what_the_readme_names():
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    listed = {words[1]: words[2:] for words in map(str.split, done.stdout.splitlines()) if words[0] == "make"}
    assert {"run", "test", "lint", "bench", "demo"} <= set(listed)
    assert all(listed.values()), "every command has its line"
    assert re.search(r"^Makefile +(.*)$", section("File tree"), re.MULTILINE)[1].split(", ") == \
        [name for name in listed if name not in ("help", "clean")]


# --- the command line ---


@pytest.mark.parametrize("line", commands())
def test_a_quoted_command_is_one_that_the_parser_takes(line):
    arguments = _parser().parse_args(shlex.split(line, comments=True)[3:])
    for name in arguments.measure if isinstance(getattr(arguments, "measure", None), list) else \
            filter(None, [getattr(arguments, "measure", None)]):
        registry.get(name)


def test_commands_are_quoted_at_all():
    assert len(commands()) >= 6


@pytest.mark.parametrize("line", ["python -m analysis sweep", "python -m analysis show a --sites final",
                                  "python -m analysis compare a --by layers", "python -m analysis plot a"])
def test_the_check_of_commands_fails_on_a_wrong_one(line, capsys):
    with pytest.raises(SystemExit) as stopped:
        test_a_quoted_command_is_one_that_the_parser_takes(line)
    assert stopped.value.code == 2 and "argument" in capsys.readouterr().err


def test_every_command_named_in_running_text_exists():
    named = {match for path in DOCUMENTS
             for match in re.findall(r"python -m analysis ([a-z]+)", path.read_text(encoding="utf-8"))}
    known = _parser().format_help()
    assert named and all(re.search(rf"^    {name}\b", known, re.MULTILINE) for name in named)


def test_every_option_of_the_command_line_is_in_the_readme():
    rows = {line.split("|")[1].strip(" `").split()[0]: line for line in section("Command line").splitlines()
            if line.startswith("| `")}
    for name, parser in _parser()._subparsers._group_actions[0].choices.items():
        options = set(re.findall(r"--[a-z]+", parser.format_usage()))
        assert options == set(re.findall(r"--[a-z]+", rows[name].split("|")[3])), name


# --- decisions and links ---


def headings(path: Path) -> list[str]:
    return re.findall(r"^## (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)


def test_decision_records_are_numbered_without_gaps_and_begin_with_their_number():
    assert RECORDS
    for number, path in enumerate(RECORDS, 1):
        assert path.name.startswith(f"{number:04d}-")
        assert re.match(rf"# {number:04d} \S", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_decision_record_has_the_headings_of_the_first(path):
    assert headings(path) == headings(RECORDS[0]) and len(headings(path)) == 3


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(path):
    targets = re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8"))
    assert [target for target in targets if not (path.parent / target).exists()] == []


if __name__ == "__main__":
    README.write_text(with_table(README.read_text(encoding="utf-8")), encoding="utf-8")
