"""What is taken away of a figure: its files a click away, and the studio that lays figures out for a paper."""

from collections.abc import Sequence
from functools import partial
from hashlib import sha256

import streamlit as st

from analysis import export
from analysis.errors import ExplorerError
from analysis.figures_command import options
from analysis.jobs import job
from analysis.keys import digest
from analysis.publishing import render
from analysis.publishing.bundle import Piece, bundle, contents, told, zipped
from analysis.publishing.layout import Print, Sheet, composed
from ui import guard, jobs_panel, view_shelf, workspace
from ui import studio_choice as choice
from ui.plain import plain

DRAWN, ALL = "drawn page", "all figures"
WITHOUT = ("checkpoints", "jobs", "measures", "views", "glossary")  # pages that never show a figure
PREVIEW_DPI = 110
STILL = {"staticPlot": True}


@st.fragment
def offer(key: str, piece: Piece) -> None:
    """The row under a figure: everything in one zip, single files, and the studio. It is drawn alone after a click."""
    stem = _stem(piece.title)
    with st.container(horizontal=True):
        st.download_button("Figure + table", lambda: bundle([piece], Print(), []), f"{stem}.zip", "application/zip",
                           key=f"{key} zip", on_click="ignore", icon=":material/folder_zip:",
                           help="One zip: the interactive figure, its table as CSV and Parquet, the manifest, "
                                "methods sentences and their references.")
        with st.popover("Files", icon=":material/download:", help="The same files one by one."):
            _files(key, piece, stem)
        if st.button("Export", key=f"{key} studio", icon=":material/print:",
                     help="For a paper: PDF, SVG and PNG at the width of a column, alone or with other figures."):
            _studio(key, piece)


def export_all(page: str, title: str) -> None:
    """In the sidebar: all figures of a page as one zip, drawn in the background as the studio is set; `page` is the
    name in links."""
    if page not in WITHOUT and not st.session_state.get(guard.HEADLESS):
        with st.sidebar:
            st.fragment(_all_figures)(page, title)


def _all_figures(page: str, title: str) -> None:
    """What is below the button is drawn when it is opened, for then the page has put all its choices into the URL."""
    below = st.popover("Export all figures", icon=":material/print:", key=ALL, on_change="rerun", width="stretch")
    if not below.open:
        return
    with below:
        order = _order(page)
        last = next((one for one in job.listed(jobs_panel.jobs_folder()) if one.argv == tuple(order)), None)
        if last and last.active:
            st.caption(":material/hourglass_top: They are being drawn; the progress is above.")
        else:
            _draw_all(order, last, title)


def _draw_all(order: list[str], last: job.Job | None, title: str) -> None:
    to, (formats, _) = choice.chosen_print(), choice.chosen_formats()
    kinds = [] if render.available() else map(str.upper, formats)
    st.caption(f"Every figure of this page, {to.width_mm:g} mm wide with type of {to.font_pt:g} pt, as "
               f"{', '.join([*kinds, 'HTML'])}, with tables, methods and references, in one zip. Export under a figure "
               "changes this.")
    if last and last.state in ("failed", "interrupted"):
        st.error(f"The last attempt {last.state}: {plain(last.message)}", icon=":material/error:")
    made = last is not None and jobs_panel.take(last, "page")
    if guard.is_view_only("it draws nothing in the background. Export, under each figure, still works."):
        return
    if st.button("Draw them again" if made else "Draw them", key="draw all", width="stretch", icon=":material/print:",
                 type="tertiary" if made else "primary"):
        jobs_panel.start(order, f"Figures of {title}")
        st.rerun()


def _order(page: str) -> list[str]:
    """The command that draws what the page shows now."""
    formats, dpi = choice.chosen_formats()
    argv = ["figures", view_shelf.present(page).link, *options(choice.chosen_print(), formats, dpi)]
    return [*argv, "--out", str(workspace.store().exports / f"{digest(argv)[:32]}.zip")]


def _files(key: str, piece: Piece, stem: str) -> None:
    st.download_button("Figure (HTML)", lambda: export.figure_html(piece.figure, piece.title), f"{stem}.html",
                       "text/html", key=f"{key} html", on_click="ignore", icon=":material/download:", width="stretch")
    st.download_button("Table (CSV)", lambda: export.table_csv(piece.records), f"{stem}.csv", "text/csv",
                       key=f"{key} csv", on_click="ignore", icon=":material/table:", width="stretch")
    st.download_button("Manifest (JSON)", lambda: export.manifest(piece.records, piece.title, piece.caption),
                       f"{stem}.json", "application/json", key=f"{key} json", on_click="ignore",
                       icon=":material/receipt_long:", width="stretch")


@st.dialog("Figure studio", width="large", icon=":material/print:")
def _studio(key: str, piece: Piece) -> None:
    compose(key, piece)


def compose(key: str, piece: Piece) -> None:
    """Settings beside a preview of the page that they give, the zip with it, and how to cite what is on it."""
    settings, shown = st.columns([1, 2], gap="large")
    try:
        with settings:
            chosen, columns = choice.pick_figures(key, piece)
            to = choice.pick_print(len(chosen) > 1)
            formats, dpi = choice.pick_formats()
            chosen = choice.pick_words(chosen)
        with shown:
            sheet = composed([one.figure for one in chosen], columns, to, [one.title for one in chosen])
            _preview(sheet, columns)
            st.download_button("Download zip", partial(to_take, chosen, to, formats, dpi, columns),
                               f"{_stem('figures' if len(chosen) > 1 else chosen[0].title)}.zip", "application/zip",
                               key="studio zip", type="primary", on_click="ignore", icon=":material/download:",
                               width="stretch", help="Drawn by a browser process, for a few seconds; it is ended after "
                                                     f"{render.WAIT_S:g} s.")
            _collect(key, piece)
            _cite(chosen)
    except ExplorerError as error:
        shown.error(plain(error), icon=":material/error:")


def to_take(chosen: Sequence[Piece], to: Print, formats: Sequence[str], dpi: int, columns: int) -> bytes:
    """The zip. Where its page could not be drawn it has the rest and says why, as a download cannot show a message."""
    try:
        return bundle(chosen, to, formats, dpi=dpi, columns=columns)
    except ExplorerError as why:
        rest = contents(chosen, to, [], dpi=dpi, columns=columns)
        return zipped(rest | {"not-drawn.txt": f"No {', '.join(map(str.upper, formats))}: {why}\n".encode()})


def _preview(sheet: Sheet, columns: int) -> None:
    """The page as this browser draws it, or as it is printed once that was asked for."""
    st.caption(f"**{sheet.width_mm:g} mm wide, {sheet.height_mm:.0f} mm high**; at 100 % of a usual screen it is shown "
               "as large as it is printed.")
    page = st.container()
    content = sha256("".join(panel.figure.to_json() for panel in sheet.panels).encode()).hexdigest()
    if not render.available() and st.button("Show it as printed", icon=":material/visibility:", key="studio show",
                                            help="Draws the page once as the zip will hold it."):
        with st.spinner("Drawing the page in a browser process …"):
            drawn = render.render_all([sheet], ["png"], dpi=PREVIEW_DPI)[0]["png"]
        st.session_state[DRAWN] = (content, drawn)
    with page:
        if st.session_state.get(DRAWN, ("",))[0] == content:
            st.image(st.session_state[DRAWN][1], caption=f"As it is printed, at {PREVIEW_DPI} dpi", width="content")
        else:
            _panels(sheet, columns)


def _panels(sheet: Sheet, columns: int) -> None:
    for start in range(0, len(sheet.panels), columns):
        with st.container(horizontal=True, gap="small"):
            for place, panel in enumerate(sheet.panels[start:start + columns], start):
                with st.container(width="content", gap=None):
                    if panel.letter:
                        st.markdown(f"**{panel.letter}**")
                    st.plotly_chart(panel.figure, theme=None, key=f"studio panel {place}", config=STILL,
                                    width="content", alt=f"Preview {panel.letter}")


def _collect(key: str, piece: Piece) -> None:
    """Keep this figure for a page with figures of other pages."""
    kept = choice.collection()
    name = f"{key} {sha256(f'{piece.title} {piece.caption}'.encode()).hexdigest()[:8]}"
    with st.container(horizontal=True, vertical_alignment="center"):
        if name in kept:
            st.caption(":material/check: In your collection, as it is now: choose it on any page under Figures.")
        elif len(kept) < choice.MOST_COLLECTED:
            st.button("Add to the collection", icon=":material/library_add:", key="studio add",
                      on_click=kept.__setitem__, args=(name, piece),
                      help="Keeps this figure as it is now, so that the studio of any other page can print it too.")
        if kept:
            st.button(f"Empty the collection ({len(kept)})", icon=":material/delete:", type="tertiary",
                      key="studio empty", on_click=kept.clear)


def _cite(chosen: Sequence[Piece]) -> None:
    with st.expander("Methods and references", icon=":material/menu_book:"):
        said, cited = told(chosen)
        st.code(said, language=None, wrap_lines=True)
        st.code(cited, language=None, wrap_lines=True)


def _stem(title: str) -> str:
    return title.lower().replace(" ", "-").replace("/", "-")
