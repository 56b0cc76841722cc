"""A result card says what it rests on, and an altered one is refused by name."""

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cavendish.cli import call
from cavendish.errors import BadInputError
from cavendish.report.signature import new_key, sign

Alter = Callable[[dict[str, Any]], None]


@pytest.fixture
def card(tmp_path: Path) -> Path:
    """Measure three true films and sign the card."""
    new_key(tmp_path / "key.pem")
    films = str(tmp_path / "films")
    assert call(["render", "uniform-motion", "--count", "3", "--size", "32", "--out", films]) == 0
    signed = ["--out", str(tmp_path / "card"), "--key", str(tmp_path / "key.pem")]
    assert call(["measure", films, "--scene", "uniform-motion", *signed]) == 0
    return tmp_path / "card" / "scorecard.json"


def altered(card: Path, change: Alter) -> Path:
    """Write a card with something changed."""
    content = json.loads(card.read_text())
    change(content)
    other = card.with_name("altered.json")
    other.write_text(json.dumps(content))
    return other


def test_a_card_is_verified_with_its_films_and_its_signers_public_key(
    card: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = json.loads(card.read_text())
    signer = content["signature"]["signer"]
    verify = ["report", "--verify", str(card), "--videos", str(tmp_path / "films"), "--signer", signer]
    assert call(verify) == 0
    assert f"signed by {signer}" in capsys.readouterr().out
    assert {"scene", "clips", "scores", "inputs", "configuration", "revision", "machine", "law"} <= set(content)
    page = card.with_name("scorecard.html").read_text()
    assert all(
        word in page
        for word in ("position error", content["signature"]["sha256"], signer, "clip_0001.mp4", "data:image/png")
    )
    assert "http" not in page
    (tmp_path / "films" / "clip_0001.mp4").write_bytes(b"another film")
    assert call(verify) == 3
    assert "clip_0001.mp4: missing, or not the film" in capsys.readouterr().err


def resigned(content: dict[str, Any], key: Path | None) -> None:
    """Hash an altered card anew, and sign it with another key or with none."""
    content["law"]["printed"] = "x'' = 0; y'' = 0, of course"
    del content["signature"]
    digest = hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    content["signature"] = {"sha256": digest} | ({} if key is None else sign(digest, key))


def test_an_altered_card_can_be_signed_anew_only_by_another_signer(
    card: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    true, false = json.loads(card.read_text())["signature"]["signer"], new_key(tmp_path / "forger.pem")
    forged = altered(card, lambda content: resigned(content, tmp_path / "forger.pem"))
    assert call(["report", "--verify", str(forged)]) == 0
    assert f"signed by {false}" in capsys.readouterr().out
    assert call(["report", "--verify", str(forged), "--signer", true]) == 3
    assert f"signed by {false}, expected {true}" in capsys.readouterr().err
    bare = altered(card, lambda content: resigned(content, None))
    assert call(["report", "--verify", str(bare)]) == 0
    assert "signed by nobody" in capsys.readouterr().out
    assert call(["report", "--verify", str(bare), "--signer", true]) == 3
    capsys.readouterr()
    posing = altered(forged, lambda content: content["signature"].update(signer=true))
    assert call(["report", "--verify", str(posing), "--signer", true]) == 3
    assert "not made for this card by the key that it names" in capsys.readouterr().err


def test_keys_are_private_and_never_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "key.pem"
    assert call(["report", "--new-key", str(path)]) == 0
    assert len(capsys.readouterr().out.removeprefix("public key: ").strip()) == 64
    assert path.stat().st_mode & 0o077 == 0
    assert call(["report", "--new-key", str(path)]) == 2
    assert "exists already" in capsys.readouterr().err
    (tmp_path / "no.pem").write_text("a secret")
    for name, said in (("no.pem", "not an Ed25519 key"), ("none.pem", "cannot be read as a key")):
        with pytest.raises(BadInputError, match=said):
            sign("0" * 64, tmp_path / name)


def test_without_the_library_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(BadInputError, match=r"cavendish\[sign\]"):
        new_key(tmp_path / "key.pem")


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
        (lambda content: content["signature"].update(ed25519="00" * 64), "not made for this card"),
        (lambda content: content["signature"].pop("ed25519"), "not made for this card"),
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
