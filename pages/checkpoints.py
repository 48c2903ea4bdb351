"""Where do the weights come from, and are they what they say they are?"""

import streamlit as st

from analysis import summaries
from ui import hub_opener, opener, preflight_card, upload_area, words, workspace

words.intro("Checkpoints",
            "Open a run from the Hub, a folder or your own machine; look it over before anything of it is loaded.")
hub, folder, files, stages, probe = st.tabs(["Hub", "Folder", "Upload", "Stages", "Probe"], key="way",
                                            bind="query-params")
with hub:
    hub_opener.draw()
with folder:
    st.markdown("A folder on the machine that runs this app: a model, a folder of step folders, or files of rows.")
    opener.draw()
with files:
    upload_area.draw()
with stages:
    st.markdown("Models that follow from each other, such as base, SFT and DPO, as one run with named stages.")
    opener.draw_stages()
with probe:
    upload_area.draw_probe()

st.subheader("Preflight")
runs = workspace.runs()
if runs:
    preflight_card.draw(runs)

st.subheader("What is loaded")
st.dataframe(summaries.loaded(workspace.store(), runs), hide_index=True,
             alt="Every run with its checkpoints and what is computed")
