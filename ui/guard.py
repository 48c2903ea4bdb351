"""Who may come in. On this machine alone, whoever uses it; as soon as others can reach it, those who are logged in."""

import ipaddress
import os

import streamlit as st

from ui.plain import plain

PUBLIC_VARIABLE = "EXPLORER_PUBLIC"
SET_UP = ("This app can be reached from other machines and nobody has to log in, so it stays closed. Either bind it to "
          "this machine (`--server.address 127.0.0.1`, the default), or set up a login: install `streamlit[auth]` and "
          "put an OpenID Connect provider into `[auth]` of `.streamlit/secrets.toml` (docs/deploy.md).")


def let_in() -> None:
    """Stop the page unless this visitor may see it."""
    if not is_public():
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


def _has_login() -> bool:
    try:
        return "auth" in st.secrets
    except FileNotFoundError:
        return False
