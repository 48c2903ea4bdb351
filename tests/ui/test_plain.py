"""Text from strangers is shown, and never drawn."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ui.plain import UNSEEN, plain


@given(st.text())
def test_the_reader_sees_the_same_text(text):
    shown = plain(text).replace(UNSEEN, "").replace("\\\\", "\0")
    given = text.replace("\n", " ").replace(UNSEEN, "").replace("\0", "\\")
    assert shown.replace("\\", "").replace("\0", "\\") == given


@pytest.mark.parametrize("text", ["![x](https://evil.example/x.png)", "[Sign in](http://evil.example)", "<img src=x>",
                                  "https://evil.example", "www.evil.example", "me@evil.example", "`code`", "$x$",
                                  "~~x~~", ":material/home:", ":red[x]", "**bold**", "a|b", "_x_", "__x__",
                                  "a _b c_ d"])
def test_what_would_be_drawn_is_taken_apart(text):
    shown = plain(text)
    assert shown != text
    assert not re.search(r"(?<!\\)[\[\]`*<>$~|]", shown)
    assert not re.search(r"(?<![\\\w])_|_(?!\w)(?<!\\_)", shown)
    assert not any(mark in shown for mark in ("://", "www.", "e@e", ":material/home"))


@pytest.mark.parametrize("text", ["/data/my_run-2/step1000: 3 tensors", "RankMe 44.2, α = 1.5 (n/d = 17.9)", ""])
def test_ordinary_text_stays_as_it_is(text):
    assert plain(text) == text
