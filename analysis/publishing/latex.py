"""Sentences as LaTeX that any class compiles with pdflatex, in text fonts with T1 encoding."""

import re
import unicodedata

ESCAPED = {"\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "%": r"\%", "$": r"\$", "&": r"\&", "#": r"\#",
           "_": r"\_", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}",
           ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}", "–": "--", "—": "---", "‖": r"$\|$",
           "’": "'", "‘": "`", "“": "``", "”": "''", "…": r"\ldots{}", "\u2044": "/", "\u00a0": "~", "\u202f": r"\,"}
SYMBOLS = {"×": r"\times", "±": r"\pm", "·": r"\cdot", "≤": r"\leq", "≥": r"\geq", "≈": r"\approx", "√": r"\surd",
           "∞": r"\infty", "∑": r"\sum", "−": "-", "→": r"\to", "∈": r"\in", "≠": r"\neq", "∩": r"\cap",
           "²": "^2", "³": "^3", "¹": "^1", "⁻": "^-"}
GREEK = re.compile(r"GREEK (SMALL|CAPITAL) LETTER (\w+)")
LIKE_LATIN = {"omicron": "o"}
CITED = re.compile(r"(\\cite\{[\w,-]*\})")


def latex(text: str) -> str:
    r"""The text with all that LaTeX would take for a command escaped, and `\cite{...}` left as it is.

    Greek letters and signs become mathematics. A letter that neither Latin alphabets nor this module has is said by its
    name in brackets, so that nothing is lost and nothing fails.
    """
    parts = CITED.split(text)
    return "".join(part if CITED.fullmatch(part) else "".join(map(_letter, part)) for part in parts)


def _letter(letter: str) -> str:
    if letter in ESCAPED:
        return ESCAPED[letter]
    if letter in SYMBOLS:
        return f"${SYMBOLS[letter]}$"
    if letter.isascii() or 0xC0 <= ord(letter) <= 0x17F:  # letters of Latin alphabets, which T1 has
        return letter
    if found := GREEK.fullmatch(unicodedata.name(letter, "")):
        name = found[2].lower()
        command = LIKE_LATIN.get(name) or f"\\{name}"
        return f"${command}$" if found[1] == "SMALL" else f"${_capital(letter, name)}$"
    plain = [part for part in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(part)]
    if plain and plain != [letter]:
        return "".join(map(_letter, plain))
    return f"[{unicodedata.name(letter, f'U+{ord(letter):04X}').lower()}]"


def _capital(letter: str, name: str) -> str:
    """LaTeX has commands for the capitals that do not look like Latin ones."""
    own = {"Γ", "Δ", "Θ", "Λ", "Ξ", "Π", "Σ", "Υ", "Φ", "Ψ", "Ω"}
    latin = dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΧ", "ABEZHIKMNOPTX", strict=True))
    return f"\\{name.title()}" if letter in own else f"\\mathrm{{{latin.get(letter, '?')}}}"
