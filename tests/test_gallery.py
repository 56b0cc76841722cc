"""The gallery shows every world, moving, with its law, and stays small enough to send."""

import re
from pathlib import Path

import pytest

from cavendish.cli import call
from cavendish.scenes import SCENES


def test_the_gallery_shows_every_scene(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "gallery.html"
    assert call(["scenes", "--gallery", str(page)]) == 0
    assert str(page) in capsys.readouterr().out
    text = page.read_text()
    assert len(re.findall(r"data:image/webp;base64,", text)) == len(SCENES)
    assert all(f'<h2 id="{scene.name()}">' in text for scene in SCENES)
    assert "y&#39;&#39; = -g" in text
    assert "gravity 2.5 m/s^2" in text
    assert "ood-radius: 0.3 to 0.6 or 1.5 to 2" in text
    assert not re.search(r"(src|href)=\"https?:", text)  # self-contained
    assert len(text) < 2_000_000
