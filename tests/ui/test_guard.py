"""Who may come in: everybody on this machine, nobody from elsewhere without a login."""

import pytest
from streamlit.testing.v1 import AppTest

from analysis.__main__ import PROJECT
from analysis.checkpoints.folder import open_run
from analysis.errors import ExplorerError
from ui import guard


def opened(**secrets):
    at = AppTest.from_file(str(PROJECT / "ui" / "main.py"), default_timeout=60)
    for name, value in secrets.items():
        at.secrets[name] = value
    return at.run()


@pytest.mark.parametrize(("address", "public"), [
    ("127.0.0.1", False), ("127.0.0.53", False), ("::1", False), ("localhost", False), ("0.0.0.0", True), ("::", True),
    ("192.168.1.7", True), ("", True), (None, True), ("host.example.org", True), ("127.0.0.1.example.org", True)])
def test_an_address_beyond_this_machine_is_public(monkeypatch, address, public):
    monkeypatch.setattr(guard.st, "get_option", {"server.address": address}.get)
    assert guard.is_public() is public


def test_a_public_app_without_a_login_stays_closed_and_says_what_to_do(monkeypatch):
    monkeypatch.setenv("EXPLORER_PUBLIC", "1")
    at = opened()
    assert not at.exception and [error.value for error in at.error] == [guard.SET_UP]
    assert not at.multiselect and not at.selectbox and not at.dataframe


def test_a_public_app_with_a_login_shows_nothing_but_the_way_to_log_in(monkeypatch):
    monkeypatch.setenv("EXPLORER_PUBLIC", "1")
    at = opened(auth={"client_id": "x", "client_secret": "x", "redirect_uri": "https://x/oauth2callback",
                      "cookie_secret": "x", "server_metadata_url": "https://x/.well-known/openid-configuration"})
    assert not at.exception and [button.label for button in at.button] == ["Log in"]
    assert not at.multiselect and not at.dataframe


def test_on_this_machine_nobody_is_asked():
    at = opened()
    assert not at.exception and at.multiselect and "Log in" not in [button.label for button in at.button]


def test_once_public_a_folder_opens_below_the_roots_only(monkeypatch, tiny_run):
    monkeypatch.setenv("EXPLORER_PUBLIC", "1")
    with pytest.raises(ExplorerError, match=r"outside the folders the operator opened \(none\)"):
        open_run(tiny_run)
    monkeypatch.setenv("EXPLORER_ROOTS", str(tiny_run.parent))
    assert len(open_run(tiny_run).checkpoints) == 3
    assert open_run(PROJECT / "demo" / "runs" / "sotu-neox-seed1").checkpoints
