"""Who may come in, and whether they may change anything. On this machine alone, whoever uses it may come in; as soon as
others can reach it, those who are logged in. On a view-only server all of them look, and nothing they do is kept."""

import ipaddress
import os

import streamlit as st

from analysis.errors import ExplorerError
from ui.plain import plain

PUBLIC_VARIABLE, READ_ONLY_VARIABLE = "EXPLORER_PUBLIC", "EXPLORER_READ_ONLY"
VIEW_ONLY = "This server is view-only"
HEADLESS = "drawn without a browser"  # set by ui/headless.py before the script begins; no visitor reaches it
SET_UP = ("This app can be reached from other machines and nobody has to log in, so it stays closed. Either bind it to "
          "this machine (`--server.address 127.0.0.1`, the default), or set up a login: install `streamlit[auth]` and "
          "put an OpenID Connect provider into `[auth]` of `.streamlit/secrets.toml` (docs/deploy.md).")


def let_in() -> None:
    """Stop the page unless this visitor may see it."""
    if not is_public() or st.session_state.get(HEADLESS):
        return
    os.environ[PUBLIC_VARIABLE] = "1"  # folders open below the operator's roots only, in workers too
    if not _has_login():
        st.title("Representation Geometry Explorer")
        st.error(SET_UP, icon=":material/lock:")
        st.stop()
    if not st.user.get("is_logged_in"):
        st.title("Representation Geometry Explorer")
        st.button("Log in", on_click=st.login, type="primary", icon=":material/login:")
        st.stop()
    with st.sidebar:
        st.caption(f"Logged in as {plain(st.user.get('email') or st.user.get('name') or 'a guest')}")
        st.button("Log out", on_click=st.logout, icon=":material/logout:")


def is_public() -> bool:
    """Whether the operator says so, or the server listens beyond this machine."""
    if os.environ.get(PUBLIC_VARIABLE) == "1":
        return True
    address = st.get_option("server.address") or "0.0.0.0"  # unset, Streamlit listens everywhere
    try:
        return not ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address != "localhost"


def is_read_only() -> bool:
    """Whether nobody may start, open, upload, save or delete anything here. Any value but 0 says so, since a mistyped
    one must not let people in."""
    return os.environ.get(READ_ONLY_VARIABLE, "").strip() not in ("", "0")


def is_view_only(what: str) -> bool:
    """`is_read_only`, said in place of what would act; `what` is the rest of the sentence."""
    if is_read_only():
        st.info(f"{VIEW_ONLY}: {what}", icon=":material/visibility:")
    return is_read_only()


def check_may_change() -> None:
    """What every function of the screen asks before it changes the store: a button that is not drawn protects nothing.

    Raises ExplorerError on a view-only server.
    """
    if is_read_only():
        raise ExplorerError(f"{VIEW_ONLY}: nothing is started, opened, kept or deleted here. Run the app on your own "
                            f"machine for that, or ask the operator to start it without {READ_ONLY_VARIABLE}.")


def _has_login() -> bool:
    try:
        return "auth" in st.secrets
    except FileNotFoundError:
        return False
