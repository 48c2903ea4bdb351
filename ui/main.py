"""The script every browser session runs. It stands here, not beside pages/, because Streamlit shows its old automatic
menu to a first visitor whose link names a page whenever the main script has a folder called pages next to it."""

from ui.router import route

route()
