"""What do two representations share, and why do measures disagree?"""

import streamlit as st

from analysis import summaries
from analysis.errors import ExplorerError, Undefined
from analysis.figures import pair as figures
from analysis.pairs import matched, reading, sheet
from analysis.pairs.triangle import triangle
from analysis.views import item_name
from ui import cards, jobs_panel, pair_sides, pinned, selection, words, workspace
from ui.plain import plain

words.intro("Pair",
            "Two representations of the same rows under every measure of similarity at once, and why the measures "
            "disagree.")

chosen = selection.pick()
store, style, protocol = workspace.store(), workspace.style(), chosen.protocol
left, right = st.columns(2)
a = pair_sides.pick(left, "a", chosen, chosen.runs[0])
b = pair_sides.pick(right, "b", chosen, chosen.runs[-1], first=len(chosen.runs) == 1)
pinned.stands(chosen)
names = item_name(*a), item_name(*b)
argv = ["pair", *names, *chosen.argv]
title = f"{names[0]} and {names[1]}"
found = sheet.stored(store, a, b, protocol)
every = sheet.measures()
if len(found) < len(every):
    jobs_panel.offer(argv, title, f"{len(found)} of {len(every)} measures are computed for this pair. It takes a "
                     "minute or two for a thousand rows, and each measure is shown as soon as it is there.")
if not found:
    st.stop()

lines = [sheet.line(measure, found[measure.name]) for measure in every if measure.name in found]
records = sheet.records(lines, a, b, protocol)
caption = sheet.caption(store, a, protocol, found)
st.subheader("Why do they disagree?")
for finding in reading.findings(lines):
    st.markdown(f"**{plain(finding.title)}.** {plain(finding.sentence)}")
st.caption("Each sentence comes of a fixed rule over the numbers below. Values are compared across kinds of measures "
           "after calibration only, and only where the intervals do not overlap.")

cards.warnings(chosen, sheet.outliers(store, a, b, protocol), list(dict.fromkeys([a[1], b[1]])), sheet.said_of)

st.subheader("All measures on one axis")
if any(line.calibrated is not None for line in lines):
    left_out = [line.label for line in lines if line.calibrated is None]
    cards.figure(figures.overview(lines, style), records, title=f"All measures, {title}", key="pair all",
                 caption=f"{caption} Dashed line: 95 % of shuffles lie left of it; bars: 95 % interval; values further "
                         f"left are drawn at the edge. Not on this axis: {', '.join(left_out) or 'none'}.")
else:
    st.info("No measure can be set against shuffles: the probe has too few documents.", icon=":material/block:")

st.subheader("All numbers")
st.dataframe(sheet.table(lines), hide_index=True, alt="Every measure of this pair", placeholder="", column_config={
    **{name: st.column_config.NumberColumn(format="%.4f", help=said) for name, said in {
        "value": "As the measure says it, on its own scale.", "low": "Lower end of the 95 % interval.",
        "high": "Upper end of the 95 % interval.",
        "chance": "Of unrelated rows: the exact mean over all orders of the rows, else the mean of the shuffles.",
        "calibrated": "0: the 95 % threshold of the shuffles; 1: equal. The only column to compare measures by.",
        "p": "Share of shuffles, and the value itself, that reach the value."}.items()},
    "kind": st.column_config.TextColumn(width=160),
    "same after": st.column_config.TextColumn(help=sheet.MARKS_HELP)})
st.caption(f"Click a column to sort by it. {sheet.MARKS_HELP} {plain(caption)} The menu at the table's corner saves it "
           "as CSV; the files below the figure hold more.")

st.subheader("Is it more than chance?")
by_name = {line.measure.name: line for line in lines}
picked = by_name[st.selectbox("Measure", list(by_name), key="null_of", bind="query-params",
                              format_func=lambda name: by_name[name].label)]
null = found[picked.measure.name].null
if null is None or picked.value is None:
    st.info(f"There is nothing to set against shuffles: {plain(picked.reason) or 'too few documents'}.",
            icon=":material/block:")
else:
    draws = null.ravel().tolist()
    cards.figure(figures.null(picked, draws, style), [{"measure": picked.measure.name, "shuffled": x} for x in draws],
                 title=f"Shuffles of {picked.label}, {title}", key="pair null",
                 caption=f"p = {picked.p:.3g}: the share of shuffles, and the value itself, that reach the value. "
                         f"{caption}")
cards.how_to_read(picked.measure)


@st.cache_resource(max_entries=4, show_spinner=False)
def fit(digests: tuple[str, str], sites: tuple[str, str]) -> tuple:
    """Rows of both sides with their fit, kept while a person looks at them."""
    rows = matched.sample(store, a, b, protocol)
    return (None, None) if rows is None else (rows, matched.matched(rows))


st.subheader("Row by row")
again = "These rows are not here: they were let go to save room, or came with bundled results."
try:
    rows, points = fit(tuple(protocol.key(item[0]).digest for item in (a, b)), (a[1], b[1]))
except (ExplorerError, Undefined) as error:
    st.warning(f"Rows cannot be matched: {plain(error)}.", icon=":material/block:")
    st.stop()
if rows is None:
    fit.clear()
    if len(found) == len(every):
        jobs_panel.offer(argv, f"the rows of {title}", f"{again} The same command reads them again.")
    st.stop()
texts = matched.texts_of(protocol.probe, protocol, points.row_ids)
facts = {f"{name}_{side}": value for side, item in zip("ab", summaries.item_records([a, b], protocol), strict=True)
         for name, value in item.items()}
cards.figure(figures.points(points, texts, names, style), matched.records(points, texts, facts), key="pair points",
             title=f"Matched rows, {title}", caption=f"{matched.caption(points)} {summaries.spoken(protocol)}")
st.markdown("Rows that fit least")
st.dataframe(matched.worst(points, texts), hide_index=True, alt="Rows with the largest mismatch", column_config={
    "mismatch": st.column_config.NumberColumn(format="%.3f")})
with st.expander("Which distances agree? tRSA at every two thresholds", icon=":material/change_history:"):
    some = rows.first(matched.MOST_SHOWN)
    map_of = triangle(some.x, some.y)
    st.plotly_chart(figures.triangle(map_of.percents, map_of.values, style), theme=None, key="pair triangle")
    st.caption(f"Distances below l % are all called near, those above u % far. On {len(some.row_ids)} of {some.total} "
               "rows, those drawn above.")
