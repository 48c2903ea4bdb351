"""What does each number mean, where does it come from, and what can mislead?"""

import streamlit as st

from analysis import registry, weight_measures
from analysis.measure import Measure
from analysis.references import citation
from analysis.weight_measures import WeightMeasure
from ui import words
from ui.plain import plain


def of_representations(measure: Measure) -> tuple[str, str]:
    """What is true of a measure of representations alone, on the left and on the right of its card."""
    return (f"  \n**Unchanged under:** {', '.join(sorted(t.value for t in measure.invariant_to)) or 'nothing'}",
            f"  \n**Cost:** {measure.cost}; at least {measure.min_samples} rows")


def draw(measure: Measure | WeightMeasure, also: tuple[str, str] = ("", "")) -> None:
    """All that the record of a measure says."""
    with st.container(border=True):
        st.markdown(f"#### {measure.label}\n`{measure.name}` · version {measure.version}")
        st.markdown(measure.summary)
        st.code(measure.equation, language=None)
        left, right = st.columns(2)
        low, high = (f"{bound:g}".replace("inf", "∞") for bound in measure.bounds)
        left.markdown(f"**Reads:** {measure.direction}  \n**Range:** {low} to {high}"
                      f"{f' {measure.unit}' if measure.unit else ''}{also[0]}")
        right.markdown(f"**Interval:** {measure.uncertainty}  \n**With nothing to find:** {measure.null}{also[1]}")
        for param in getattr(measure, "params", ()):
            st.markdown(f"**{param.name}** (default {param.default}): {param.help}")
        st.markdown(f"**Beware:** {measure.caveats}")
        st.caption(citation(measure.reference))


words.intro("Measures",
            "Every measure of this app, from the same records that compute them. Names say which estimator it is, "
            "because estimators of one quantity differ by more than most findings.")

wanted = st.text_input("Find", placeholder="rank, alignment, decay ...", key="find", bind="query-params").lower()
known = registry.all_measures().values()
groups: dict[str, list[Measure | WeightMeasure]] = {
    "Of one representation": [measure for measure in known if measure.arity == 1],
    "Of two representations": [measure for measure in known if measure.arity == 2],
    "Of a weight matrix": [measure for measure in weight_measures.MEASURES if measure.of == "matrix"],
    "Of the change of a weight matrix": [measure for measure in weight_measures.MEASURES if measure.of == "change"]}
found = {title: kept for title, group in groups.items() if (kept := [
    measure for measure in group
    if wanted in f"{measure.name} {measure.label} {measure.summary} {measure.caveats}".lower()])}
if not found:
    st.info(f"No measure speaks of “{plain(wanted)}”. Clear the field to see them all.", icon=":material/search_off:")
for title, group in found.items():
    st.subheader(title)
    for measure in group:
        draw(measure, of_representations(measure) if isinstance(measure, Measure) else ("", ""))
