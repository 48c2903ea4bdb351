"""The Representation Geometry Explorer. `make run` starts it; so does `streamlit run app.py`.

Each browser session runs ui/main.py, which draws the navigation of ui/router.py and one script of pages/.
"""

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from ui.router import route
from ui.upload_route import ROUTES

app = st.App("ui/main.py", routes=ROUTES)

if get_script_run_ctx(suppress_warning=True) is not None:  # Streamlit's AppTest runs this file as the script
    route()
