"""Text that may come from a stranger (a file's name, an error, a link's parameter) as what it is: text."""

import re

UNSEEN = "\u200b"  # between the parts of an address, which would be made a link even when escaped


def plain(text: object) -> str:
    """The text with everything escaped that Streamlit's Markdown would make a picture, a link, code or colour of."""
    escaped = re.sub(r"([\\`*\[\]<>$~|])", r"\\\1", str(text)).replace("\n", " ")
    escaped = re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\_", escaped)  # between two letters it is only an underscore
    escaped = re.sub(r"^(\s*)([#+-])", r"\1\\\2", escaped)
    return re.sub(r"(?i)(:(?=//)|www(?=\.)|@(?=[\w-]+\.\w)|:(?=[a-z_]+[/:]))", f"\\1{UNSEEN}", escaped)


def unplain(text: str) -> str:
    """The text that `plain` was given, apart from its ends of lines."""
    return re.sub(r"\\([\\`*\[\]<>$~|_#+-])", r"\1", text.replace(UNSEEN, ""))
