"""Other colours for a finished figure: runs in another palette or in greys, paper and ink light or dark.

Colour scales keep their colours, for those are read as quantities.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

from analysis.figures.theme import PALETTE, Style

Rgb = tuple[float, float, float]
OKABE_ITO, TOL, GREY = "Okabe-Ito", "Tol muted", "grey"
# In the order of theme.PALETTE, whose last is the grey of what is not named.
PALETTES = {OKABE_ITO: PALETTE,
            TOL: ("#332288", "#CC6677", "#117733", "#AA4499", "#DDCC77", "#88CCEE", "#882255", "#999999"), GREY: ()}
ROLES = ("ink", "muted", "paper", "grid")
SHADED_TOWARDS, MOST_SHADED = (255, 60), 0.6  # what theme.shade does on light and on dark paper
ROUNDING = 0.01  # of channels to whole numbers, as a share of the way to grey
COLOUR = re.compile(r"#([0-9a-fA-F]{6})|rgba?\((\d+), ?(\d+), ?(\d+)((?:, ?[\d.]+)?)\)")


def recoloured(value: Any, palette: str, was: Style, style: Style) -> Any:
    """A figure's nested dicts and lists with every colour in them changed, those of colour scales left.

    Parameters
    ----------
    value : what `to_plotly_json` gives
    palette : a name of PALETTES
    was : the ink and paper that the figure was made for
    style : those that it gets
    """
    roles = {_rgb(getattr(was, role)): _rgb(getattr(style, role)) for role in ROLES}
    pure = [*zip(map(_rgb, PALETTE), map(_rgb, PALETTES[palette] or PALETTE), strict=True),
            (_rgb(was.ink), _rgb(style.ink))]
    ends = SHADED_TOWARDS[was.dark], SHADED_TOWARDS[style.dark]

    def changed(colour: Rgb) -> Rgb:
        if colour in roles:
            return roles[colour]
        moved = _moved(colour, pure, *ends)
        return _grey(moved) if palette == GREY else moved
    return _walk(value, changed)


def _walk(value: Any, changed: Callable[[Rgb], Rgb]) -> Any:
    if isinstance(value, dict):
        return {name: inner if name == "colorscale" else _walk(inner, changed) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_walk(inner, changed) for inner in value]
    return COLOUR.sub(lambda match: _written(match, changed), value) if isinstance(value, str) else value


def _written(match: re.Match[str], changed: Callable[[Rgb], Rgb]) -> str:
    if match[1]:
        return "#" + "".join(f"{round(part):02x}" for part in changed(_rgb(match[0])))
    red, green, blue = (round(part) for part in changed((int(match[2]), int(match[3]), int(match[4]))))
    return f"{'rgba' if match[5] else 'rgb'}({red},{green},{blue}{match[5]})"


def _moved(colour: Rgb, pure: Sequence[tuple[Rgb, Rgb]], towards: int, end: int) -> Rgb:
    """The same place among other pure colours: one of them, or one that theme.shade makes of it."""
    found = [(*_place(colour, ours, towards), ours, theirs) for ours, theirs in pure]
    near = [one for one in found if one[0] <= 1 and -ROUNDING <= one[1] <= MOST_SHADED + ROUNDING]
    if not near:
        return colour
    _, weight, ours, theirs = min(near, key=lambda one: one[0])
    if (ours, towards) == (theirs, end):
        return colour
    weight = min(max(weight, 0.0), MOST_SHADED)  # what rounding made of the ends
    red, green, blue = (part * (1 - weight) + end * weight for part in theirs)
    return red, green, blue


def _place(colour: Rgb, pure: Rgb, towards: int) -> tuple[float, float]:
    """By how much a channel is off the way from a pure colour to a grey, at most, and what share of it is gone."""
    way = [towards - part for part in pure]
    gone = sum((part - start) * step for part, start, step in zip(colour, pure, way, strict=True))
    weight = gone / sum(step * step for step in way)
    misses = (abs(start + weight * step - part) for part, start, step in zip(colour, pure, way, strict=True))
    return max(misses), weight


def _grey(colour: Rgb) -> Rgb:
    """The grey of the same luma (Rec. 709)."""
    red, green, blue = colour
    level = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return level, level, level


def _rgb(text: str) -> Rgb:
    red, green, blue = (int(text[i:i + 2], 16) for i in (1, 3, 5))
    return red, green, blue
