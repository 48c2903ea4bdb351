"""Text that may come from a stranger (a file's name, an error, a link's parameter) as what it is: text."""

import re


def plain(text: object) -> str:
    """The text with everything escaped that Streamlit's Markdown would make a picture, a link, code or colour of."""
    escaped = re.sub(r"([\\`*\[\]<>$~|])", r"\\\1", str(text))
    return re.sub(r":(?=//|[a-z]+/)", r"\\:", escaped.replace("www.", r"www\.")).replace("\n", " ")
