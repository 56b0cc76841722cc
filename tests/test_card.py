"""A result card says what it rests on, and an altered one is refused by name."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cavendish.cli import call

Alter = Callable[[dict[str, Any]], None]


@pytest.fixture
def card(tmp_path: Path) -> Path:
    """Measure three true films and sign the card."""
    (tmp_path / "key").write_text("a secret")
    films = str(tmp_path / "films")
    assert call(["render", "uniform-motion", "--count", "3", "--size", "32", "--out", films]) == 0
    signed = ["--out", str(tmp_path / "card"), "--key", str(tmp_path / "key")]
    assert call(["measure", films, "--scene", "uniform-motion", *signed]) == 0
    return tmp_path / "card" / "scorecard.json"


def altered(card: Path, change: Alter) -> Path:
    """Write a card with something changed."""
    content = json.loads(card.read_text())
    change(content)
    other = card.with_name("altered.json")
    other.write_text(json.dumps(content))
    return other


def test_a_card_is_verified_with_its_films_and_key(
    card: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    verify = ["report", "--verify", str(card), "--videos", str(tmp_path / "films"), "--key", str(tmp_path / "key")]
    assert call(verify) == 0
    assert "as signed" in capsys.readouterr().out
    content = json.loads(card.read_text())
    assert {"scene", "clips", "scores", "inputs", "configuration", "revision", "machine", "law"} <= set(content)
    assert "a secret" not in card.read_text()
    page = card.with_name("scorecard.html").read_text()
    assert all(
        word in page for word in ("position error", content["signature"]["sha256"], "clip_0001.mp4", "data:image/png")
    )
    assert "http" not in page
    (tmp_path / "films" / "clip_0001.mp4").write_bytes(b"another film")
    assert call(verify) == 3
    assert "clip_0001.mp4: missing, or not the film" in capsys.readouterr().err
    (tmp_path / "key").write_text("another secret")
    assert call(["report", "--verify", str(card), "--key", str(tmp_path / "key")]) == 3
    assert "not signed with the key" in capsys.readouterr().err


def score_named(content: dict[str, Any], name: str) -> dict[str, Any]:
    """Find a score of a card."""
    return next(score for score in content["scores"] if score["name"] == name)


def flatter(content: dict[str, Any]) -> None:
    """Make the model look better."""
    score_named(content, "position error")["value"] *= 0.5


def drop_a_clip(content: dict[str, Any]) -> None:
    """Leave out an inconvenient value."""
    score_named(content, "position error")["values"][1] = None


def rewrite(content: dict[str, Any]) -> None:
    """Claim another law."""
    content["law"]["printed"] = "x'' = 0; y'' = 0, of course"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (flatter, "value of 'position error'"),
        (drop_a_clip, "of 'position error'"),
        (rewrite, "differs from its signature"),
        (lambda content: content["clips"].pop(), "differs from its signature"),
        (lambda content: content.pop("signature"), "not a result card"),
    ],
)
def test_an_altered_card_is_refused_by_name(
    change: Alter, named: str, card: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(["report", "--verify", str(altered(card, change))]) == 3
    said = capsys.readouterr().err
    assert named in said
    assert said.count("\n") == 1
