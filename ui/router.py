"""The pages of the app and the way between them."""

from pathlib import Path

import streamlit as st

from ui import contrast, guard, hover_sync, jobs_panel, pieces, studio, view_shelf

HOME = Path(__file__).parents[1]


def route() -> None:
    """Draw the navigation, the page that was asked for, and the jobs under way."""
    st.set_page_config(page_title="Representation Geometry Explorer", page_icon=HOME / "ui" / "icon.png", layout="wide")
    guard.let_in()
    contrast.draw()
    page = st.navigation({"": [
        st.Page(HOME / "pages" / "overview.py", title="Overview", icon=":material/home:", default=True,
                help="What is loaded, the headline numbers, and the way to your own checkpoints."),
    ], "Training": [
        st.Page(HOME / "pages" / "trajectories.py", title="Trajectories", icon=":material/show_chart:",
                help="Any scalar measure against training, beside the loss."),
        st.Page(HOME / "pages" / "phases.py", title="Phases", icon=":material/stacked_line_chart:",
                help="When the representation collapsed, expanded and compressed, by a stated rule."),
        st.Page(HOME / "pages" / "weights.py", title="Weights", icon=":material/tune:",
                help="The weight matrices themselves: their ranks and norms, and how far they moved."),
        st.Page(HOME / "pages" / "spectra.py", title="Spectra", icon=":material/ssid_chart:",
                help="The eigenspectrum behind a number, at chosen checkpoints."),
        st.Page(HOME / "pages" / "sample_size.py", title="Sample size", icon=":material/data_thresholding:",
                help="Would more texts change a number? Its value on parts of the documents and on all of them."),
    ], "Comparison": [
        st.Page(HOME / "pages" / "compare.py", title="Compare", icon=":material/difference:",
                help="Ticked runs, phases and stages side by side: differences, their intervals, what changed most."),
        st.Page(HOME / "pages" / "similarity.py", title="Similarity", icon=":material/grid_on:",
                help="Layer by layer and step by step, within a run and between two."),
        st.Page(HOME / "pages" / "drift.py", title="Similarity over training", icon=":material/trending_up:",
                help="How alike each checkpoint is to the first, the last, any other, or another seed's."),
        st.Page(HOME / "pages" / "similarity_map.py", title="Map of representations", icon=":material/scatter_plot:",
                help="Every checkpoint and site as a point, its path through training, and the tree of them."),
        st.Page(HOME / "pages" / "pair.py", title="Pair", icon=":material/compare_arrows:",
                help="What two representations share under every measure, and why measures disagree."),
        st.Page(HOME / "pages" / "stitching.py", title="Stitching", icon=":material/cable:",
                help="Can the tail of one model read a layer of another, and what does it cost?"),
        st.Page(HOME / "pages" / "seed_question.py", title="Different inside, same in function?",
                icon=":material/compare:",
                help="CKA and stitching of the same two networks side by side, and where they disagree."),
    ], "Cloud of points": [
        st.Page(HOME / "pages" / "topology.py", title="Topology", icon=":material/all_inclusive:",
                help="Loops and gaps of the cloud, beside what clouds without structure give."),
        st.Page(HOME / "pages" / "intrinsic_dimension.py", title="Intrinsic dimension", icon=":material/square_foot:",
                help="Along how many directions the neighbours of a point lie, beside two controls."),
        st.Page(HOME / "pages" / "points.py", title="Map of points", icon=":material/bubble_chart:",
                help="Each row as a point, moving over training or depth, with its neighbours at every frame."),
        st.Page(HOME / "pages" / "known_answers.py", title="Known answers", icon=":material/fact_check:",
                help="What the tests of bars and the estimates of dimension say where the truth is known."),
    ], "Behind it": [
        st.Page(HOME / "pages" / "checkpoints.py", title="Checkpoints", icon=":material/inventory_2:",
                help="Open a run from the Hub, a folder or your machine, and look it over before it is loaded."),
        st.Page(HOME / "pages" / "views.py", title="Saved views", icon=":material/bookmarks:",
                help="Views that were kept, to open again, to send to a colleague and to make a report of."),
        st.Page(HOME / "pages" / "jobs.py", title="Jobs", icon=":material/pending_actions:",
                help="What is being computed, what was, and the room it takes."),
        st.Page(HOME / "pages" / "measures.py", title="Measures", icon=":material/menu_book:",
                help="What each number means, its equation, its source and its traps."),
        st.Page(HOME / "pages" / "glossary.py", title="Glossary", icon=":material/dictionary:",
                help="The words of this app, each in a sentence or two."),
    ]}, position="top")
    pieces.begin()
    with st.sidebar:
        hover_sync.draw()
    jobs_panel.draw()  # before the page, which may stop early
    view_shelf.draw(page.url_path, page.title)
    studio.export_all(page.url_path, page.title)
    page.run()
