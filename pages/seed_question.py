"""Two networks that differ inside: can one use the other's states all the same?"""

import streamlit as st

from analysis import referring, registry, seed_question, weights
from analysis.figures import seed_question as drawn
from analysis.pairs import disagreement
from analysis.references import citation
from ui import cards, jobs_panel, pinned, selection, words, workspace
from ui.plain import plain

MOST_PAIRS, MOST_OFFERED = 6, 4

words.intro("Different inside, same in function?",
            "CKA says how alike two networks are inside; a stitch says whether the tail of one, the receiver, can go "
            "on from the states of the other, the sender, through one affine map. They can disagree.")

chosen = selection.pick()
store = workspace.store()
into = (chosen.sides[chosen.reference.last.run], chosen.reference.last) if chosen.reference else None
if into and not weights.has_weights(into[0]):
    st.info(plain(referring.no_weights(chosen.reference)), icon=pinned.ICON)
    into = None
pairs = seed_question.candidates(chosen.runs, into)
if not pairs:
    st.info("Choose two runs in the sidebar, or one with several checkpoints.", icon=":material/arrow_back:")
    st.stop()
names = selection.several("Pairs, sender → receiver", list(pairs), "networks", seed_question.usual(chosen.runs, into),
                          "pairs", max_selections=MOST_PAIRS, help="The last checkpoint of each run, and as a control "
                          "the first of a run into its last; into the reference, where one is pinned.")
pinned.stands(chosen)
if not names:
    st.info("Choose at least one pair.", icon=":material/arrow_upward:")
    st.stop()
if chosen.protocol.probe.kind == "image" and str(chosen.protocol.policy) in ("first", "last"):
    st.info("Each image is one patch here. Choose the mean of tokens under Rows, and CKA reads the whole image.",
            icon=":material/arrow_back:")

absent = [(name, *work) for name in names for work in seed_question.missing(store, pairs[name], chosen.protocol)]
for name, what, argv in absent[:MOST_OFFERED]:
    same = ["--probe", chosen.probe, "--dtype", chosen.protocol.dtype]
    jobs_panel.offer([*argv, *same], f"{what}, {name}", f"Not computed yet for this pair: {what}.")
if len(absent) > MOST_OFFERED:
    st.caption(f"{len(absent)} computations are missing; {MOST_OFFERED} are offered at a time.")
records = [record for name in names for record in seed_question.records(store, pairs[name], chosen.protocol)]
if records:
    for sentence in disagreement.sentences(records):
        st.markdown(f"- {plain(sentence)}")
    cards.figure(drawn.build(records, workspace.style()), records, title="CKA and stitching over depth",
                 caption=seed_question.caption(records, chosen.protocol), key="seed question")
    st.dataframe(seed_question.table(records), hide_index=True, alt="CKA and stitching at each site", column_config={
        "pair": st.column_config.TextColumn(width="medium"),
        **{name: st.column_config.NumberColumn(format="%.3f") for name in seed_question.NUMBERS}})
    st.caption(disagreement.RULES)

with st.expander("The question of McGuire et al. 2022", icon=":material/menu_book:"):
    st.markdown("McGuire and others trained networks on images and on persistence images, which hold the topology of "
                "the same images and nothing else, and asked whether the two learn different representations. CKA said "
                "that they differ strongly inside, and yet in some cases one affine stitch was enough to go on from "
                "one to the other at the level of the task. The runs vit-digits-... of the demo ask it again, small.")
    st.markdown("**Beware:** a stitch that passes shows that what the receiver needs can be read off the sender by an "
                "affine map, and not that both compute it in the same way: networks that solve one task in different "
                "ways stitch well too (Smith and others 2025). With few classes, lining up a few clusters is enough.")
    st.caption(citation("mcguire2022neural"))
cards.how_to_read(registry.get(seed_question.MEASURE))
