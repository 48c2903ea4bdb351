"""The two kinds of failure a person meets, each a sentence they can act on."""


class ExplorerError(Exception):
    """Something a person gave cannot be used: the message names it, what was found, what was wanted and what to do."""


class Undefined(ValueError):
    """A measure has no value on this input; the message says because of what. Shown as a state, never as a number."""
