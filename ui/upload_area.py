"""The way in for files on the visitor's own machine: large ones stream to the server in pieces."""

from pathlib import Path

import streamlit as st

from analysis.checkpoints import upload
from analysis.errors import ExplorerError
from analysis.extraction.library import SUFFIXES, add_probe
from analysis.runs import open_upload
from ui import guard, opener, workspace
from ui.plain import plain
from ui.upload_route import PATH, give_token

HERE = Path(__file__).parent
SMALL_MB = 100
HTML = """<div class="area">
<label>Choose files or an archive<input type="file" multiple aria-label="Choose files or an archive"></label>
<label>Choose a folder<input type="file" webkitdirectory aria-label="Choose a folder"></label>
<button class="stop" hidden>Stop</button><progress max="1" value="0" hidden></progress>
<p class="said" role="status"></p></div>"""

_stream = st.components.v2.component("upload_area", html=HTML, css=(HERE / "upload_area.css").read_text(),
                                     js=(HERE / "upload_area.js").read_text())


def draw() -> None:
    """Files of any size, in pieces; small ones through Streamlit's own field too."""
    if opener.is_closed("open FOLDER"):
        return
    st.markdown("A checkpoint (config.json, *.safetensors, tokenizer), a folder of step folders, an archive of either, "
                "or rows of your own: `.npy`, or `.npz` with an n × d array for each site and, if you have them, `ids` "
                "and `documents`. Nothing in a file is ever run.")
    opener.said("upload")
    if "upload_token" not in st.session_state:
        try:
            st.session_state.upload_token = give_token(workspace.owner())
        except ExplorerError as error:
            st.error(plain(error), icon=":material/error:")
            return
    result = _stream(key="upload", data={"token": st.session_state.upload_token, "path": PATH},
                     on_opened_change=lambda: None)
    if opened := [run for run in workspace.runs() if run.name == result.opened]:  # a browser may say anything
        opener.choose(opened[0], "upload")
        st.rerun()
    st.caption(f"All uploads together may take {upload.quota() / 1e9:.0f} GB. An interrupted upload goes on when the "
               "same files are chosen again within two days.")
    with st.expander(f"Small files (up to {SMALL_MB} MB) without the progress bar"):
        with st.form("small", border=False, clear_on_submit=True):
            files = st.file_uploader("Files", accept_multiple_files=True, max_upload_size=SMALL_MB, key="small_files")
            sent = st.form_submit_button("Open these files")
        if sent and files:
            _take([(file.name, file.getvalue()) for file in files])


def draw_probe() -> None:
    """Texts, images or sounds to read: pasted or as a file."""
    if guard.is_view_only("probes are added where you run this project yourself. There a file is read by its path:"):
        st.code("python -m analysis sweep RUN --probe FILE", language="bash")
        return
    st.markdown("Texts as `.txt` (one a line), `.csv`, `.jsonl` or `.parquet` with a `text` column and, if you have "
                "them, `id`, `document` and label columns; or images or `.wav` sounds in a `.zip` whose folders are "
                "labels.")
    with st.form("new probe", border=False, clear_on_submit=True):
        name = st.text_input("Name", "my-texts", key="probe_name")
        pasted = st.text_area("Paste texts, one a line", key="pasted", height=140)
        file = st.file_uploader("or choose a file", type=[suffix[1:] for suffix in SUFFIXES], key="probe_file")
        sent = st.form_submit_button("Add this probe", icon=":material/add:")
    if sent:
        try:
            given = (file.name, file.getvalue()) if file else (f"{name or 'texts'}.txt", pasted.encode())
            guard.check_may_change()
            probe = add_probe(*given)
        except ExplorerError as error:
            st.error(plain(error), icon=":material/error:")
            return
        st.success(f"Added {plain(probe.name)}: {len(probe.texts)} {probe.kind}s. Choose it under Probe in the "
                   "sidebar.")


def _take(files: list[tuple[str, bytes]]) -> None:
    try:
        guard.check_may_change()
        root = workspace.store().uploads
        run = open_upload(workspace.store(), upload.take(root, files, workspace.owner()))
    except ExplorerError as error:
        st.error(plain(error), icon=":material/error:")
        return
    except OSError as error:
        st.error(f"The server could not write the upload ({plain(error.strerror)}).", icon=":material/error:")
        return
    opener.choose(run, "upload")
    st.rerun()
