"""What stands around a figure: the chart with its downloads, its caption, and the card that says how to read it."""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from analysis import export, summaries
from analysis.measure import Measure
from analysis.phases import CHOSEN, NOT_RESOLVED, Rule
from analysis.publishing.bundle import Piece
from analysis.results import Shade
from analysis.weight_measures import WeightMeasure
from ui import pieces, studio
from ui.plain import plain
from ui.selection import Selection


def figure(built: export.Figure, records: Sequence[dict[str, Any]], *, title: str, caption: str, key: str,
           on_select: Callable[[], None] | None = None, modes: Sequence[str] = ("points",)) -> None:
    """A chart, what it was made from, and the files to take away; `on_select` runs when points of it are chosen in one
    of the `modes`."""
    caption += (built.layout.meta or {}).get("said", "")  # what the figure itself leaves out
    piece = Piece(built, records, title, caption)
    pieces.add(key, piece)
    clicks: dict[str, Any] = {"on_select": on_select, "selection_mode": modes} if on_select else {}
    off = [button for button in export.CONFIG["modeBarButtonsToRemove"] if button.removesuffix("2d") not in modes]
    st.plotly_chart(built, theme=None, key=key, config=export.CONFIG | {"modeBarButtonsToRemove": off},
                    alt=f"{title}. {caption}", **clicks)
    st.caption(plain(caption))
    studio.offer(key, piece)


def caption(selection: Selection, records: Sequence[dict[str, Any]], measure: Measure | None = None) -> str:
    """Rows, width, texts, token policy and interval, as every figure states them."""
    sizes = sorted({(record["n"], record["d"]) for record in records})
    shown = ", ".join(f"n = {n}, d = {d} (n/d = {n / d:.1f})" for n, d in sizes[:3])
    interval = ""
    if measure and any(record.get("low") is not None for record in records):
        interval = f" Band: 95 % interval of the estimate at this n, {measure.uncertainty}; bias is not in it."
    return f"{shown}. {summaries.spoken(selection.protocol)}{interval}"


def tints(shades: Sequence[Shade], sites: Sequence[str]) -> str:
    """What the tints behind a trajectory are of, where there are any."""
    named = any(shade.name != NOT_RESOLVED for shade in shades)
    return f" Tints: phases of RankMe and α at {', '.join(sites)} (see the page Phases)." if named else ""


def how_to_read(measure: Measure | WeightMeasure) -> None:
    """What the measure says, how its ends read, and what can mislead."""
    with st.expander(f"How to read {measure.label}", icon=":material/menu_book:"):
        st.markdown(f"{measure.summary}  \n**{_sentence(measure.direction)}**")
        st.markdown("  \n".join(f"`{line}`" for line in measure.equation.splitlines()))
        st.markdown(f"**Beware:** {measure.caveats}  \n**With nothing to find:** {measure.null}.  \n"
                    f"**Name in files and on the command line:** `{measure.name}`")
        if isinstance(measure, Measure) and measure.arity == 2:
            kept = ", ".join(sorted(transform.value for transform in measure.invariant_to))
            st.markdown(f"**Does not change under:** {kept}.  \n**Interval:** {measure.uncertainty}.  \n"
                        f"**Order of the two sides:** {'makes no difference' if measure.symmetric else 'matters'}.")


def undefined(records: Sequence[dict[str, Any]]) -> None:
    """Values that do not exist, each reason once: a gap in a line is never left unexplained."""
    reasons: dict[str, list[str]] = {}
    for record in records:
        if record["reason"]:
            reasons.setdefault(record["reason"], []).append(f"{record['run']} {record['revision']} {record['site']}")
    for reason, where in reasons.items():
        more = f" and {len(where) - 2} more" if len(where) > 2 else ""
        st.warning(f"Undefined at {plain(', '.join(where[:2]))}{more}, because {reason}.", icon=":material/block:")


def phases(rows: Sequence[dict[str, Any]]) -> None:
    """The phases that are named, then what is between them with the reason, folded, and all of it to take away."""
    named = [row for row in rows if row["phase"] != NOT_RESOLVED]
    rest = [row for row in rows if row["phase"] == NOT_RESOLVED]
    share = {"keeps its label": st.column_config.ProgressColumn(
        help="The share of nearby rules (window, confidence, prominence and length one step looser or stricter) that "
             "give these checkpoints the same label.", format="percent")}
    share |= {name: st.column_config.TextColumn(help="The interval is the rule's: for the whole curve and with the "
                                                "curve's own scatter, so wider than 95 % of this change alone.")
              for name in ("RankMe", "α")}
    if named:
        st.dataframe(named, hide_index=True, alt="Phases of each run with their changes", column_config=share,
                     column_order=("run", "phase", "from", "to", "RankMe", "α", "keeps its label"))
    else:
        st.markdown("No phase is named at this site by this rule; the reasons are below.")
    if rest:
        with st.expander(f"Where nothing is claimed, and why ({len(rest)})", icon=":material/help:"):
            st.dataframe(rest, hide_index=True, alt="Stretches that are not resolved, with the reason",
                         column_config=share,
                         column_order=("run", "from", "to", "reason", "RankMe", "α", "keeps its label"))
    st.download_button("Phases (CSV)", lambda: export.table_csv(rows), "phases.csv", "text/csv", key="phases all csv",
                       on_click="ignore", icon=":material/table:")


def changes(rows: Sequence[dict[str, Any]]) -> None:
    """Differences between two checkpoints, each with its paired interval."""
    if not rows:
        st.info("Both checkpoints need this value, at this setting and at one of the sites.", icon=":material/info:")
        return
    st.dataframe(rows, hide_index=True, alt="Change of the measure between the two checkpoints at each site",
                 column_config={name: st.column_config.NumberColumn(format="%.4g")
                                for name in ("from", "to", "change", "low", "high")})
    st.caption("low and high: 95 % interval of the change, by leaving the same documents out at both checkpoints. It "
               "says how far the texts decide the difference, and not what another seed of the training would give.")


def warnings(selection: Selection, facts: Sequence[dict[str, Any]], sites: Sequence[str], said: Any) -> None:
    """Identical checkpoints, and outliers that decide what the numbers say."""
    for run in selection.runs:
        for group in run.duplicates:
            st.warning(f"{plain(run.name)}: {plain(', '.join(group))} have identical weights. A flat stretch there is "
                       "not a plateau.", icon=":material/content_copy:")
    lines = [f"{fact['run']} {fact['revision']}, {site}: {'; '.join(found)}" for fact in facts for site in sites
             if (found := said(fact.get("outliers", {}).get(site)))]
    if lines:
        with st.expander(f"{len(lines)} representation(s) with an outlier that may drive the numbers",
                         icon=":material/warning:"):
            st.text("\n".join(lines))


def driven(rows: Sequence[dict[str, Any]], compared: bool) -> bool:
    """Outliers among what is compared, and the score without the top directions; whether to compute that score."""
    if not rows:
        return False
    with st.expander(f"{len(rows)} representation(s) with an outlier that may drive the score",
                     icon=":material/warning:"):
        st.dataframe(rows, hide_index=True, alt="Representations with an outlier and their best match", column_config={
            "value": st.column_config.NumberColumn(format="%.4f", help="Of the chosen measure, at the best match."),
            "top directions removed": None if not compared else st.column_config.NumberColumn(
                format="%.4f", help="Debiased linear CKA at the same pair without the direction of largest variance of "
                                    "each side. Far below the value, one direction makes the score.")})
        return not compared and st.toggle("Compare with the top directions removed", key="heads", bind="query-params",
                                          help="Debiased linear CKA without the direction of largest variance of each "
                                               "side: far below the value, one direction makes the score.")


def measure_params(measure: Measure) -> dict[str, int]:
    """One number field for each parameter of the measure."""
    if not measure.params:
        return {}
    columns = st.columns(len(measure.params))
    return {param.name: int(column.number_input(
        param.name.replace("_", " "), param.low, param.high, param.default, key=param.name, bind="query-params",
        help=param.help)) for param, column in zip(measure.params, columns, strict=True)}


def phase_rule() -> Rule:
    """The settings of the rule for phases."""
    with st.expander("Settings of the rule", icon=":material/tune:"):
        window, confidence, prominence, length = st.columns(4)
        return Rule(
            window=window.select_slider("Window (checkpoints)", [3, 5, 7, 9], CHOSEN.window, key="window",
                                        bind="query-params"),
            confidence=confidence.select_slider("Confidence, whole curve", [0.8, 0.9, 0.95, 0.99], CHOSEN.confidence,
                                                key="confidence", bind="query-params"),
            prominence=prominence.select_slider("Least change of ln RankMe", [0.0, 0.02, 0.05, 0.1, 0.2],
                                                CHOSEN.prominence, key="prominence", bind="query-params"),
            min_length=length.select_slider("Least length (checkpoints)", [2, 3, 4, 6, 8], CHOSEN.min_length,
                                            key="length", bind="query-params"))


def settings_argv(params: dict[str, int]) -> list[str]:
    return [part for name, value in params.items() for part in ("--set", f"{name}={value}")]


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."
