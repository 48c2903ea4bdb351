"""What the page Stitching chooses from: who sends, who receives, which sites meet, and how the result is shown."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from analysis import referring, stitch_views, stitches, weights
from analysis.keys import Checkpoint, Run
from analysis.stitch_views import Stitches
from analysis.stitches import Ends, Question
from ui import pinned
from ui.plain import plain
from ui.selection import Selection, choose

SCOPES = {"same": "same depth", "all": "all pairs of sites", "lens": "lens: into its own head"}


def pick_ends(chosen: Selection) -> tuple[Ends, Question, list[str]]:
    """Sender, receiver and the sites that meet, with the command that computes them. By default the last checkpoints
    of two runs, and of one run its first into its last; into the reference, where one is pinned."""
    pairs = st.segmented_control("Which sites meet", list(SCOPES), default="same", key="pairs", bind="query-params",
                                 required=True, format_func=SCOPES.__getitem__) or "same"
    runs = {run.name: run for run in chosen.sides.values() if weights.has_weights(run)}
    left, right = st.columns(2)
    first, end = chosen.runs[0].checkpoints, chosen.runs[-1].checkpoints[-1]
    if pairs == "lens":
        run, sender = _side(left, "Model", "model", runs, first[-1])
        receiver = sender
    else:
        start = chosen.reference.last if chosen.reference and chosen.reference.last.run in runs else end
        others = [one.checkpoints[-1] for one in chosen.runs if one.name != start.run]
        run, sender = _side(left, "Sender", "sender", runs, (others or first)[0])
        _, receiver = _side(right, "Receiver", "receiver", runs, start)
        if chosen.reference and start is end:
            st.info(plain(referring.no_weights(chosen.reference)), icon=pinned.ICON)
        pinned.stands(chosen)
    question = Question(chosen.protocol.probe, chosen.protocol.dtype, pairs)
    argv = ["stitch", *(f"{c.run}@{c.revision}" for c in (sender, receiver)), "--pairs", pairs, *_protocol(chosen)]
    return stitches.ends(run, sender, receiver), question, argv


def _protocol(chosen: Selection) -> list[str]:
    dtype = chosen.protocol.dtype
    return ["--probe", chosen.probe, *([] if dtype == "float32" else ["--dtype", dtype])]


def _side(column: Any, label: str, key: str, runs: dict[str, Run], start: Checkpoint) -> tuple[Run, Checkpoint]:
    run = runs[choose(label, list(runs), key, start.run, column.selectbox)]
    revisions = [checkpoint.revision for checkpoint in run.checkpoints]
    usual = start.revision if run.name == start.run else revisions[-1]
    return run, run.at(choose(f"Checkpoint of the {label.lower()}", revisions, f"{key}_at", usual, column.selectbox))


def pick_view(found: Stitches) -> tuple[str, str]:
    """The map and the quantity that are shown, of those that are stored."""
    left, right = st.columns([2, 3])
    kind = left.selectbox("Map", found.maps, key="map", bind="query-params",
                          help="affine: least squares; ridge: with the penalty that other documents choose; "
                               "orthogonal: a rotation; reduced rank: the best map through so few directions; "
                               "identity: no map. All are worked out in closed form, none is trained on the task.")
    names = [name for name in stitch_views.QUANTITIES if any(row[name] is not None for row in found.rows)]
    quantity = right.segmented_control("Quantity", names, default=names[0], key="quantity", bind="query-params",
                                       required=True, format_func=stitch_views.SHORT.__getitem__) or names[0]
    st.caption(stitch_views.ABOUT[quantity])
    return kind, quantity


def pick_source(found: Stitches) -> str:
    """The site of the sender whose row is drawn with its baselines."""
    have = [site for site in found.sources if site not in found.missing]
    return st.selectbox("Site of the sender (the framed row)", have, index=len(have) - 1, key="from",
                        bind="query-params")


def pick_pair(pairs: Sequence[tuple[str, str]]) -> tuple[str, str]:
    """One pair of sites, for what there is to say of it alone."""
    named = {f"{i} → {j}": (i, j) for i, j in pairs}
    return named[st.selectbox("Pair of sites", list(named), index=len(named) // 2, key="pair", bind="query-params")]
