"""Can the tail of one model read a layer of another?"""

import streamlit as st

from analysis import stitch_views, weights
from analysis.figures import stitching
from analysis.stitching import outcome
from ui import cards, jobs_panel, selection, stitch_choice, words, workspace
from ui.plain import plain

words.intro("Stitching",
            "A map takes a sender's states at one site to a receiver's at another, and the receiver goes on from "
            "there; what its loss rises by is the penalty. At early layers even an untrained sender may cost little, "
            "so a low penalty is no evidence by itself: hollow points and grey cells are stitches that an untrained "
            "sender passes too.")

chosen = selection.pick()
store = workspace.store()
if not all(weights.has_weights(run) for run in chosen.runs):
    st.info("These runs came as rows, without a model, so there is no tail to run. Choose a run of checkpoints in the "
            "sidebar.", icon=":material/arrow_back:")
    st.stop()
ends, question, argv = stitch_choice.pick_ends(chosen)
lens = question.pairs == "lens"
names = [f"{end.run} {end.revision}" for end in (ends.sender, ends.receiver)]
meeting = stitch_choice.SCOPES[question.pairs]
title = f"Lens of {names[0]}" if lens else f"Stitching {names[0]} into {names[1]}, {meeting}"
if ends.sender.fingerprint == ends.receiver.fingerprint and not lens:
    st.info("Sender and receiver are the same weights: a self-stitch, which costs nothing at the same depth.",
            icon=":material/info:")
found = stitch_views.read(store, ends, question)
if found is None or found.missing:
    jobs_panel.offer(argv, title, "These stitches are not computed yet." if found is None else
                     f"{len(found.missing)} of {len(found.sources)} sites of the sender are not computed yet.")
if found is None or not found.rows:
    st.stop()

kind, quantity = stitch_choice.pick_view(found)
label = quantity, stitch_views.QUANTITIES[quantity]
titles = (f"Sender: {names[0]}", f"Receiver: {names[1]}")
caption = stitch_views.caption(found, kind)
records = stitch_views.records(found, [kind, *stitch_views.BASELINES])
if question.pairs == "all":
    source = stitch_choice.pick_source(found)
    pairs = stitch_views.pairs_along(found, source)
    built = stitching.grid(stitch_views.grid(found, kind), (found.sources, found.targets), titles, label,
                           stitch_views.lines(found, kind, pairs), source, workspace.style())
else:
    pairs = stitch_views.pairs_along(found)
    built = stitching.lines(stitch_views.lines(found, kind, pairs), [source for source, _ in pairs],
                            (f"Site of {names[0]}" if lens else "Site of sender and receiver", ""), label,
                            workspace.style())
cards.figure(built, records, title=title, caption=caption, key="stitches")
if lens:
    st.caption("Identity is the logit lens; affine is a tuned lens fitted to the last block's states by least squares, "
               "and not to its predictions.")
for sentence in stitch_views.warnings(found):
    st.warning(plain(sentence), icon=":material/warning:")
st.dataframe(stitch_views.table(found, kind, pairs), hide_index=True, alt="Stitches with intervals and what they say",
             column_config={name: st.column_config.NumberColumn(format="%.3f") for name in stitch_views.DECIMALS})
st.caption("less than untrained: how much lower the penalty is than that of the untrained sender, paired over "
           "documents. Shift: distance of the mapped states from the receiver's own, in units of their standard "
           "deviation; a stitch with a large shift feeds the receiver states that it never has.")

st.subheader("One pair of sites")
pair = stitch_choice.pick_pair(pairs)
curve, points = found.curves.get(pair), stitch_views.rank_points(found, pair)
if curve is not None:
    cards.figure(stitching.ranks(curve.tolist(), points, workspace.style()), stitch_views.rank_records(found, pair),
                 title=f"{title}, rank of {pair[0]} to {pair[1]}", key="ranks",
                 caption="How many directions carry the stitch: the best affine map of each rank, on held-out "
                         "documents. Vertical lines: the least rank with 95 % of the best R² (dotted) and, of the "
                         f"ranks run, of the loss (dashed). {stitch_views.caption(found, 'affine, of each rank')}")
if st.toggle("A stitch trained on the task", key="trained", bind="query-params"):
    st.warning(outcome.WARNING, icon=":material/warning:")
    trained = stitch_views.trained(store, ends, question, pair)
    if trained:
        st.dataframe(trained, hide_index=True, alt="The trained stitch beside the fitted one it began at",
                     column_order=stitch_views.TRAINED)
    else:
        jobs_panel.offer([*argv, "--trained", *pair], f"{title}, trained {pair[0]} to {pair[1]}",
                         "This stitch is not trained yet.")
