"""What do the test of bars and the estimates of dimension say where the truth is known?"""

from pathlib import Path

import streamlit as st

from analysis import compute
from analysis.figures import diagram, known
from analysis.runs import is_bundled
from analysis.topology import reading, recovered, words
from analysis.topology.known import RUN, SHAPES
from ui import cards, jobs_panel, workspace
from ui.plain import plain
from ui.words import intro

PAGES = Path(__file__).parent
LINKS = {"topology": ("Topology", ":material/all_inclusive:"), "intrinsic_dimension": ("Intrinsic dimension",
         ":material/square_foot:"), "points": ("Map of points", ":material/bubble_chart:")}

intro("Known answers",
      "Clouds of points whose components, loops, voids and dimension are known. See here what a bar above the "
      "null and an estimate of a dimension are worth before you read them off a network.")

run = next((one for one in workspace.runs() if one.name == RUN and is_bundled(one)), None)
if run is None:
    st.info("The clouds are not there. Make them with `python demo/make_known_answers.py`.",
            icon=":material/folder_open:")
    st.stop()
store, style = workspace.store(), workspace.style()
checkpoint = run.checkpoints[0]
cells, values = recovered.cells(store, checkpoint), recovered.values(store, run)
if len(cells) < len(SHAPES):
    jobs_panel.offer(recovered.topology_argv(run), "topology of the known answers",
                     f"The topology of {len(SHAPES) - len(cells)} of {len(SHAPES)} shapes is not computed yet. "
                     f"{words.cost(recovered.QUESTION, len(SHAPES) - len(cells))}")
if compute.wanted(store, checkpoint, recovered.protocol(), recovered.estimators()):
    jobs_panel.offer(recovered.dimension_argv(run), "dimensions of the known answers",
                     "Not every estimate of the dimension is computed yet. It takes seconds.")

first = {"shape": st.column_config.TextColumn(pinned=True)}
st.subheader("Components, loops and voids")
st.dataframe(recovered.bars_table(cells), hide_index=True, alt="True Betti numbers and bars above the null, by shape",
             column_config=first)
if cells:
    st.markdown(f"**{plain(recovered.summary(cells))}**")
    st.caption(plain(recovered.caption(cells)))
st.subheader("Dimension")
st.dataframe(recovered.dimension_table(values), hide_index=True, alt="True dimension and estimates, by shape",
             column_config=first)
st.caption(recovered.DIMENSIONS)
if wrong := [f"- **{shape.name}**: {plain(sentences)}" for shape in SHAPES
             if (sentences := recovered.wrong(cells, values, shape))]:
    st.subheader("Where it is wrong, and why")
    st.markdown("\n".join(wrong))

st.subheader("One shape")
names = [shape.name for shape in SHAPES]
shape = SHAPES[names.index(st.selectbox("Shape", names, key="shape", bind="query-params"))]
st.markdown(plain(shape.truth))
left, right = st.columns(2)
with left:
    rows = recovered.map_records(checkpoint, shape)
    cards.figure(known.build(rows, style), rows, title=f"Rows of the {shape.name}", key="known map",
                 caption=f"All {len(rows)} rows on their two leading principal directions.")
with right:
    if cell := cells.get(shape.name):
        item = (checkpoint, shape.name)
        bars = reading.bars(cell, item, recovered.protocol())
        cards.figure(diagram.diagram(bars, style), bars, title=f"Persistence diagram of the {shape.name}",
                     key="known diagram", caption=f"{words.DIAGRAM} "
                                                  f"{reading.caption(cell, recovered.QUESTION)}")
    else:
        st.info("Its diagram is drawn when its topology is computed.", icon=":material/scatter_plot:")
if cell:
    st.markdown(plain(recovered.about_bars(cell, shape)))
for page, query in recovered.links(run, shape).items():
    label, icon = LINKS[page]
    st.page_link(PAGES / f"{page}.py", label=f"{label} of the {shape.name}", icon=icon, query_params=query)
