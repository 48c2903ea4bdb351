"""The pictures of the README are those that the script takes, small, and told in words."""

import re
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests import shots

MOST_BYTES = 250_000
TEXT = (shots.ROOT / "README.md").read_text(encoding="utf-8")
SHOWN = {Path(path).stem: words for words, path in re.findall(r"!\[([^]]*)\]\((docs/screenshots/[^)]*)\)", TEXT)}


def test_the_readme_shows_the_pictures_that_are_taken_and_no_other():
    assert set(SHOWN) == set(shots.CHOSEN) == {path.stem for path in shots.README.iterdir()}


@pytest.mark.parametrize("name", shots.CHOSEN)
def test_a_picture_of_the_readme_has_its_size_few_bytes_and_words_for_who_cannot_see_it(name):
    _, width, height, _ = shots.CHOSEN[name]
    path = shots.README / f"{name}.png"
    with Image.open(path) as picture:
        assert picture.size == (width, height) and picture.format == "PNG"
    assert path.stat().st_size <= MOST_BYTES and len(SHOWN[name]) > 60


def test_without_chromium_no_picture_is_taken_and_nothing_fails(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(shots, "CHROMIUM", None)
    monkeypatch.setattr(sys, "argv", ["shots", str(tmp_path / "none")])
    shots.main()
    assert "no Chromium" in capsys.readouterr().out and not (tmp_path / "none").exists()
