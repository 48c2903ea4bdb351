"""What docs/deploy.md, the Dockerfile and .dockerignore say is what the code reads, imports and needs."""

import ast
import os
import re
import runpy
import shutil
import subprocess
import sys
import threading
import tomllib
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from streamlit.web import bootstrap

from analysis.checkpoints import fetching, preflight, upload
from analysis.files import PROJECT, cache_root
from analysis.jobs import queue
from tests.test_docs import fences, tree_paths

DEPLOY = (PROJECT / "docs" / "deploy.md").read_text(encoding="utf-8")
DOCKERFILE = (PROJECT / "Dockerfile").read_text(encoding="utf-8")
IGNORED = (PROJECT / ".dockerignore").read_text(encoding="utf-8")
CODE = [PROJECT / "app.py",
        *(path for folder in ("analysis", "pages", "ui") for path in (PROJECT / folder).rglob("*.py"))]
PASSED_ON = {"PYTHONPATH"}  # read only to be handed to a task as it is


def instructions(text: str) -> list[tuple[str, str]]:
    """Each instruction of a Dockerfile and its arguments, lines joined as Docker joins them and comments left out."""
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#")).replace("\\\n", "").splitlines()
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in lines if line.strip())]


def of(kind: str) -> list[str]:
    return [rest for name, rest in instructions(DOCKERFILE) if name == kind]


def copied() -> list[str]:
    """What the Dockerfile copies out of the project."""
    return [source for rest in of("COPY") for source in rest.split()[:-1]]


def in_image() -> dict[str, str]:
    """The environment that the image sets."""
    return dict(re.findall(r"(\w+)=(\S+)", " ".join(of("ENV"))))


def leaves_out(ignored: str, path: str) -> bool:
    """Whether a .dockerignore leaves a file out: the last line that fits it, or a folder it lies in, decides."""
    parents = [path, *map(str, Path(path).parents)][:-1]
    out = False
    for line in ignored.splitlines():
        pattern = line.removeprefix("!")
        patterns = [pattern, pattern.removeprefix("**/")] if pattern.startswith("**/") else [pattern]
        depths = [(parent, one) for parent in parents for one in patterns
                  if one.startswith("**") or one.count("/") == parent.count("/")]
        if line and not line.startswith("#") and any(fnmatchcase(parent, one) for parent, one in depths):
            out = not line.startswith("!")
    return out


def settings() -> dict[str, str]:
    """Default of every variable in the table."""
    table = DEPLOY.split("\n## Settings\n")[1].splitlines()
    rows = [line.strip("| ").split(" | ") for line in table if line.startswith("| `")]
    assert all(len(row) == 3 and all(row) for row in rows)
    names = [row[0].strip("`") for row in rows]
    assert len(names) == len(set(names)), "one row a variable"
    return {name: row[2] for name, row in zip(names, rows, strict=True)}


def variables(source: str) -> set[str]:
    """Environment variables that a source names or reads."""
    nodes = list(ast.walk(ast.parse(source)))
    read = [node.args[0] for node in nodes if isinstance(node, ast.Call) and node.args and asks(node.func)]
    read += [node.slice for node in nodes if isinstance(node, ast.Subscript) and asks(node.value)]
    named = [node for node in nodes if isinstance(node, ast.Constant) and str(node.value).startswith("EXPLORER_")]
    texts = [str(node.value) for node in [*read, *named] if isinstance(node, ast.Constant)]
    return {text for text in texts if re.fullmatch("[A-Z_]+", text)}


def asks(node: ast.expr) -> bool:
    """Whether this is the environment, or a function of it."""
    return bool(re.fullmatch(r"(os\.)?(environ(\.\w+)?|getenv)", ast.unparse(node)))


# --- the table of settings ---


def test_the_table_holds_exactly_the_variables_that_the_code_reads():
    read = set().union(*(variables(path.read_text(encoding="utf-8")) for path in CODE)) - PASSED_ON
    ours = {name for name in settings() if name.startswith("EXPLORER_")}
    assert ours == {name for name in read if name.startswith("EXPLORER_")}
    assert read <= set(settings())


@pytest.mark.parametrize("source", ['os.environ.get("NEW")', 'os.environ["NEW"]', 'os.getenv("NEW")',
                                    'NAME = "EXPLORER_NEW"', 'f(x, "EXPLORER_NEW", 3)'])
def test_the_search_for_variables_finds_a_new_one(source):
    assert variables(source) in ({"NEW"}, {"EXPLORER_NEW"})


def test_no_other_document_has_a_table_of_settings():
    for path in [PROJECT / "README.md", *(PROJECT / "docs").rglob("*.md")]:
        if path.name != "deploy.md":
            assert not re.search(r"^\| `(EXPLORER|HF)_", path.read_text(encoding="utf-8"), re.MULTILINE), path


def test_defaults_in_the_table_are_the_constants_of_the_code(monkeypatch):
    for name in settings():
        monkeypatch.delenv(name, raising=False)
    assert settings()["EXPLORER_DISK_GB"] == f"{fetching.DEFAULT_BUDGET / 1e9:.0f}"
    assert settings()["EXPLORER_UPLOAD_GB"] == f"{upload.DEFAULT_QUOTA / 1e9:.0f}" == f"{upload.quota() / 1e9:.0f}"
    assert settings()["EXPLORER_CACHE"] == f"`{cache_root().relative_to(PROJECT)}/`"
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert settings()["EXPLORER_MEMORY_GB"] == "nine tenths of the machine" and preflight.memory_limit() == 0.9 * memory
    monkeypatch.setattr(queue, "_cards", lambda: 0)
    assert settings()["EXPLORER_WORKERS"].endswith(f"else {queue.workers()}")
    monkeypatch.setattr(queue, "_cards", lambda: 3)
    assert queue.workers() == 3


def test_defaults_of_the_server_are_those_of_its_configuration_and_of_the_image():
    server = tomllib.loads((PROJECT / ".streamlit" / "config.toml").read_text())["server"]
    listens = in_image()["STREAMLIT_SERVER_ADDRESS"]
    assert settings()["STREAMLIT_SERVER_ADDRESS"] == f"{server['address']}; in the image {listens}"
    assert settings()["STREAMLIT_SERVER_PORT"] == str(server["port"]) == in_image()["STREAMLIT_SERVER_PORT"]
    assert "baseUrlPath" not in server and settings()["STREAMLIT_SERVER_BASE_URL_PATH"] == "none"


def test_the_server_of_the_image_starts_without_asking_an_outside_service_for_its_address(monkeypatch, capsys):
    set_here = {"server.address": in_image()["STREAMLIT_SERVER_ADDRESS"],
                "browser.serverAddress": in_image()["STREAMLIT_BROWSER_SERVER_ADDRESS"]}
    monkeypatch.setattr(bootstrap.config, "get_option", lambda name, known=bootstrap.config.get_option:
                        set_here.get(name) or known(name))
    monkeypatch.setattr(bootstrap.config, "is_manually_set", set_here.__contains__)
    monkeypatch.setattr(bootstrap.net_util, "get_external_ip", lambda: pytest.fail("asked"))
    bootstrap._print_url(False)
    assert "http://localhost:" in capsys.readouterr().out


def test_the_hub_is_told_nothing_with_make_and_in_the_image():
    assert in_image()["HF_HUB_DISABLE_TELEMETRY"] == "1"
    assert "export HF_HUB_DISABLE_TELEMETRY ?= 1" in (PROJECT / "Makefile").read_text()


# --- the image ---


def test_the_image_installs_the_pinned_packages_and_the_login():
    install, = (rest for rest in of("RUN") if "pip install" in rest)
    assert "-r requirements.txt" in install and '"streamlit[auth]"' in install and "$TORCH_INDEX" in install
    assert "requirements.txt" in copied()


def test_the_image_has_the_python_that_the_project_takes():
    version = re.fullmatch(r"python:(\d+)\.(\d+)-slim", of("FROM")[0])
    lowest = re.search(r'requires-python = ">=(\d+)\.(\d+)"', (PROJECT / "pyproject.toml").read_text())
    assert tuple(map(int, version.groups())) >= tuple(map(int, lowest.groups()))


def test_the_image_runs_as_a_user_of_a_fixed_number_that_is_not_root_and_owns_the_volume():
    assert of("USER") == ["1000"]
    made, = (rest for rest in of("RUN") if "useradd" in rest)
    assert "--uid 1000 explorer" in made and f"--owner=explorer --group=explorer {in_image()['EXPLORER_CACHE']}" in made
    assert of("VOLUME") == [in_image()["EXPLORER_CACHE"]]
    order = [name for name, _ in instructions(DOCKERFILE)]
    assert all(order.index("USER") > place for place, name in enumerate(order) if name in ("RUN", "COPY"))


def test_every_build_argument_is_explained():
    assert of("ARG") and all(rest.split("=")[0] in DEPLOY for rest in of("ARG"))


def test_the_image_copies_every_folder_that_the_app_needs():
    tops = {path.split("/")[0] for path in tree_paths() if "/" in path}
    assert {Path(source).parts[0] for source in copied() if (PROJECT / source).is_dir() or "/" in source} == \
        tops - {"tests", "benchmarks", "docs", "cache", ".ci"}


def test_what_the_ignore_file_lets_through_is_what_the_dockerfile_copies():
    let_through = {line[1:] for line in IGNORED.splitlines() if line.startswith("!")}
    assert let_through == set(copied())


def test_nothing_that_is_copied_is_ignored_and_nothing_else_is_sent():
    sent = [str(path.relative_to(PROJECT)) for source in copied() for path in
            [PROJECT / source, *(PROJECT / source).rglob("*")] if "__pycache__" not in path.parts]
    assert len(sent) > 200 and [path for path in sent if leaves_out(IGNORED, path)] == []
    others = ["cache/results/a.json", ".git/config", ".streamlit/secrets.toml", "tests/test_deploy.py", "README.md",
              ".venv/bin/python", "ui/__pycache__/guard.pyc", "analysis/measures/__pycache__/a.pyc", "Dockerfile"]
    assert [path for path in others if not leaves_out(IGNORED, path)] == []


def test_the_check_of_the_ignore_file_sees_a_folder_that_is_left_out():
    assert leaves_out(IGNORED.replace("!ui\n", ""), "ui/guard.py")
    assert leaves_out(IGNORED + "demo/runs\n", "demo/runs/modular-addition/run.json")
    assert not leaves_out(IGNORED + "runs\n", "demo/runs/modular-addition/run.json")


def test_no_secret_stands_in_the_image():
    assert not re.search(r"token|secret|password|cookie", "\n".join(rest for _, rest in instructions(DOCKERFILE)), re.I)


def test_the_app_draws_its_first_page_from_what_the_image_holds(tmp_path):
    root = tmp_path / "app"
    for source in copied():
        (root / source).parent.mkdir(parents=True, exist_ok=True)
        if source == "demo":
            (root / source).symlink_to(PROJECT / source)
        elif (PROJECT / source).is_dir():
            shutil.copytree(PROJECT / source, root / source, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(PROJECT / source, root / source)
    before = sorted(map(str, root.rglob("*")))
    script = ("import app\nfrom streamlit.testing.v1 import AppTest\n"
              "at = AppTest.from_file('ui/main.py', default_timeout=60).run()\n"
              "assert not at.exception and not at.error and at.multiselect and at.title, at")
    known = {name: value for name, value in os.environ.items() if not name.startswith(("EXPLORER_", "PYTHON"))}
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], cwd=root, capture_output=True, text=True,
                          env=known | {"EXPLORER_CACHE": str(tmp_path / "data"), "PYTHONDONTWRITEBYTECODE": "1"})
    assert done.returncode == 0, done.stderr[-2000:]
    assert sorted(map(str, root.rglob("*"))) == before, "the image's user may write to /data alone"


# --- whether it is well ---


class Health(BaseHTTPRequestHandler):
    """A server that is well below one path only."""

    well = "/_stcore/health"

    def do_GET(self):
        self.send_response(200 if self.path == self.well else 404)
        self.end_headers()

    def log_message(self, *told):
        pass


def healthy(port: int, **environment: str) -> bool:
    """What Docker learns from the image's HEALTHCHECK."""
    command = of("HEALTHCHECK")[0].split(" CMD ", 1)[1]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    known = {"PATH": path, "STREAMLIT_SERVER_PORT": str(port)} | environment
    return subprocess.run(["sh", "-c", command], env=known, capture_output=True, timeout=60).returncode == 0


def test_the_image_is_healthy_exactly_when_the_app_answers_at_its_path(monkeypatch):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Health)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_address[1]
    assert healthy(port)
    assert not healthy(port, STREAMLIT_SERVER_BASE_URL_PATH="explorer")
    monkeypatch.setattr(Health, "well", "/explorer/_stcore/health")
    assert healthy(port, STREAMLIT_SERVER_BASE_URL_PATH="explorer")
    server.shutdown()
    server.server_close()
    assert not healthy(port, STREAMLIT_SERVER_BASE_URL_PATH="explorer")


# --- below a path ---


@pytest.mark.parametrize(("base", "address"), [("", "/uploads"), ("explorer", "/explorer/uploads"),
                                               ("/lab/explorer/", "/lab/explorer/uploads")])
def test_uploads_arrive_below_the_path_of_the_app(monkeypatch, base, address):
    monkeypatch.setattr("streamlit.get_option", {"server.baseUrlPath": base}.get)
    route = runpy.run_path(str(PROJECT / "ui" / "upload_route.py"))
    assert route["PATH"] == address
    assert [one.path for one in route["ROUTES"]] == [address, address + "/{id}/finish", address + "/{id}/{number:int}"]


def test_the_upload_field_asks_only_below_the_path_it_is_given():
    asked = re.findall(r"(?:ask\(\"\w+\"|const path =)[, ]*([^,;)]+)", (PROJECT / "ui" / "upload_area.js").read_text())
    assert len(asked) == 4 and sum("data.path" in path for path in asked) == 3 and "path" in asked


# --- what the document quotes ---


def test_containers_in_the_document_keep_their_name_and_their_cache():
    runs = [line for fence in fences(DEPLOY) for line in fence.replace("\\\n", "").splitlines() if "docker run" in line]
    assert len(runs) == 2
    for line in runs:
        assert "--init --hostname " in line and f":{in_image()['EXPLORER_CACHE']} " in line
        assert ("--network host" in line and "STREAMLIT_SERVER_ADDRESS=127.0.0.1" in line) or \
            ("-p 127.0.0.1:" in line and "secrets.toml:ro" in line)


def test_a_space_writes_the_login_that_streamlit_reads(tmp_path):
    quoted, = (fence for fence in fences(DEPLOY) if fence.startswith("CMD "))
    command, = (rest for name, rest in instructions(quoted) if name == "CMD")
    given = {"SPACE_HOST": "ada-explorer.hf.space", "COOKIE_SECRET": "c", "OAUTH_CLIENT_ID": "i",
             "OAUTH_CLIENT_SECRET": "s", "OPENID_PROVIDER_URL": "https://huggingface.co/", "HOME": str(tmp_path),
             "PATH": os.environ["PATH"]}
    subprocess.run(["sh", "-c", command.replace("exec streamlit run app.py", "true")], env=given, check=True)
    path = tmp_path / ".streamlit" / "secrets.toml"
    assert path.stat().st_mode & 0o077 == 0
    example, = (fence for fence in fences(DEPLOY.replace("   ", "")) if fence.startswith("[auth]"))
    written = tomllib.loads(path.read_text())["auth"]
    assert written.keys() == tomllib.loads(example)["auth"].keys()
    assert written["redirect_uri"] == "https://ada-explorer.hf.space/oauth2callback"
    assert written["server_metadata_url"] == "https://huggingface.co/.well-known/openid-configuration"
