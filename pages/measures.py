"""What does each number mean, where does it come from, and what can mislead?"""

import streamlit as st

from analysis import registry
from analysis.references import citation
from ui.plain import plain

st.title("Measures")
st.markdown("Every measure of this app, from the same records that compute them. Names say which estimator it is, "
            "because estimators of one quantity differ by more than most findings.")

wanted = st.text_input("Find", placeholder="rank, alignment, decay ...", key="find", bind="query-params").lower()
found = [measure for measure in registry.all_measures().values()
         if wanted in f"{measure.name} {measure.label} {measure.summary} {measure.caveats}".lower()]
if not found:
    st.info(f"No measure speaks of “{plain(wanted)}”. Clear the field to see them all.", icon=":material/search_off:")
for measure in found:
    with st.container(border=True):
        st.markdown(f"#### {measure.label}\n`{measure.name}` · version {measure.version} · "
                    f"{'two representations' if measure.arity == 2 else 'one representation'}")
        st.markdown(measure.summary)
        st.code(measure.equation, language=None)
        left, right = st.columns(2)
        left.markdown(f"**Reads:** {measure.direction}  \n"
                      f"**Range:** {measure.bounds[0]:g} to {measure.bounds[1]:g}"
                      f"{f' {measure.unit}' if measure.unit else ''}  \n"
                      f"**Unchanged under:** {', '.join(sorted(t.value for t in measure.invariant_to)) or 'nothing'}")
        right.markdown(f"**Interval:** {measure.uncertainty}  \n**With nothing to find:** {measure.null}  \n"
                       f"**Cost:** {measure.cost}; at least {measure.min_samples} rows")
        for param in measure.params:
            st.markdown(f"**{param.name}** (default {param.default}): {param.help}")
        st.markdown(f"**Beware:** {measure.caveats}")
        st.caption(citation(measure.reference))
