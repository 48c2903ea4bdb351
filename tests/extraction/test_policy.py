"""Token policies: every policy has one name, that name gives the policy back, and no other name is accepted."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.keys import Policy

PROPERTY = settings(derandomize=True, deadline=None, database=None, max_examples=150)


@pytest.mark.parametrize(("name", "kind", "every", "drop_first"), [
    ("first", "first", 1, False), ("mean", "mean", 1, True), ("mean-keep-first", "mean", 1, False),
    ("every-1", "every", 1, True), ("every-16", "every", 16, True), ("every-16-keep-first", "every", 16, False),
    ("words-1", "words", 1, True), ("words-4", "words", 4, True), ("words-4-keep-first", "words", 4, False)])
def test_a_name_says_which_tokens_become_rows(name, kind, every, drop_first):
    policy = Policy.parse(name)
    assert (policy.kind, policy.every, policy.drop_first) == (kind, every, drop_first)
    assert str(policy) == name


def test_the_last_token_is_one_policy_whether_or_not_position_0_is_kept():
    assert Policy.parse("last") == Policy.parse("last-keep-first")
    assert str(Policy("last")) == str(Policy.parse("last")) == "last"


@PROPERTY
@given(kind=st.sampled_from(["every", "words"]), every=st.integers(1, 10**9), keep=st.booleans())
def test_every_policy_is_given_back_by_its_name(kind, every, keep):
    policy = Policy(kind, every, drop_first=not keep)
    assert Policy.parse(str(policy)) == policy
    assert str(policy) == f"{kind}-{every}" + "-keep-first" * keep


@PROPERTY
@given(text=st.one_of(st.text(max_size=12), st.from_regex(r"(first|last|mean|(every|words)-?[0-9]{0,3})"
                                                          r"(-keep-first|-keep)?\s?", fullmatch=True)))
def test_any_text_is_a_policy_with_a_stable_name_or_refused_with_the_names_that_exist(text):
    try:
        policy = Policy.parse(text)
    except ValueError as error:
        assert repr(text) in str(error) and "last, mean, every-K, words-K" in str(error)
    else:
        assert Policy.parse(str(policy)) == policy
        assert str(policy) in (text, text.removesuffix("-keep-first"))


@pytest.mark.parametrize("text", ["", "First", "Last", "LAST", " last", "last ", "last\n", "mean-16", "every", "every-",
                                  "every-0", "every-01", "every--2", "every-1.5", "every-2e3", "every-k", "every-+3",
                                  "every-2-keep", "words", "words-", "words-0", "words-01", "word-2", "words-2-keep",
                                  "keep-first", "mean-keep-first-keep-first", "mean,last"])
def test_a_name_that_is_no_policy_is_refused_and_quoted(text):
    with pytest.raises(ValueError, match=r"token policy .* is not known; use first, last, mean, every-K") as caught:
        Policy.parse(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(("name", "several"), [
    ("every-8", True), ("every-1-keep-first", True), ("words-1", True), ("words-4-keep-first", True),
    ("first", False), ("last", False), ("mean", False), ("mean-keep-first", False), ("as given", False)])
def test_a_name_says_whether_a_text_has_several_rows(name, several):
    assert Policy.gives_several(name) is several
