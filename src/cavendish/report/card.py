"""The result card: one measurement as one signed JSON file and one page, from which anyone can recompute the table.

Its digest is the SHA-256 of the card's canonical JSON (keys sorted, no spaces) without the field `signature`; given a
private key, the digest is signed (`report.signature`). A verifier checks four things: the digest, the signature, that
every mean and interval follows from the values per clip, and, where the films are at hand, their hashes. The digest
alone proves that nothing was altered by accident, or by hand without hashing anew, which anybody can.
"""

import base64
import hashlib
import io
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from cavendish.artefact import commit_file, read_json
from cavendish.codec import from_json
from cavendish.errors import BadInputError, CorruptDataError
from cavendish.measure.score import Score, score
from cavendish.motion import Trajectory, World
from cavendish.readout.overlay import READ, enlarge, ring
from cavendish.report.page import templates
from cavendish.report.signature import check, sign
from cavendish.training.machine import describe

SHOWN, MOMENTS, SIDE = 6, 8, 110  # clips and frames on the page, px across


def write_card(folder: Path, content: dict[str, Any], inputs: Sequence[Path], key: Path | None, picture: str) -> Path:
    """Write scorecard.json and scorecard.html, signed if there is a private key; return the JSON's path."""
    card = content | {
        "card": 1,
        "inputs": hashes(inputs),
        "revision": {"version": version("cavendish"), "sources_sha256": sources_hash()},
        "machine": describe(),
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    card = json.loads(json.dumps(card))
    card["signature"] = {"sha256": _digest(card)} | ({} if key is None else sign(_digest(card), key))
    commit_file(folder / "scorecard.json", json.dumps(card, indent=1).encode())
    page = templates().get_template("card.html.j2").render(card=card, picture=picture)
    commit_file(folder / "scorecard.html", page.encode())
    return folder / "scorecard.json"


def verify_card(path: Path, films: Path | None = None, signer: str = "") -> tuple[int, str]:
    """Check a card; raise CorruptDataError that names what was altered, else return how many values, and who signed.

    `signer` is the public key that must have signed, in hexadecimal digits; without it any valid signature will do.
    """
    card = read_json(path)
    try:
        signature = card.pop("signature")
        digest, stated_signer = signature["sha256"], str(signature.get("signer", ""))
        scores = [from_json(Score, entry, f"{path}: scores") for entry in card["scores"]]
        inputs = {entry["name"]: entry["sha256"] for entry in card["inputs"]}
    except (AttributeError, KeyError, TypeError, BadInputError) as error:
        raise CorruptDataError(f"{path}: not a result card ({error})") from error
    for stated in scores:
        again = score(stated.name, stated.unit, np.array(stated.values, dtype=float))
        for field in ("value", "low", "high", "n", "clips"):
            old, new = getattr(stated, field), getattr(again, field)
            if not np.isclose(old, new, rtol=1e-6, atol=1e-12, equal_nan=True):
                raise CorruptDataError(f"{path}: {field} of '{stated.name}' is {old:g}, but its clips give {new:g}")
    if digest != _digest(card):
        raise CorruptDataError(f"{path}: its content differs from its signature (expected sha256 {digest})")
    if stated_signer:
        check(str(path), digest, signature)
    if signer and stated_signer.lower() != signer.strip().lower():
        raise CorruptDataError(f"{path}: signed by {stated_signer or 'nobody'}, expected {signer}")
    for name, stated_hash in inputs.items() if films is not None else ():
        assert films is not None
        found = films / name
        if not found.is_file() or hashlib.sha256(found.read_bytes()).hexdigest() != stated_hash:
            raise CorruptDataError(f"{found}: missing, or not the film that {path} was made from")
    return sum(len(stated.values) for stated in scores), stated_signer


def hashes(inputs: Sequence[Path]) -> list[dict[str, str | int]]:
    """Return name, size and SHA-256 of every file, those of a folder of images one by one."""
    files = [(p.name, p) for p in inputs if p.is_file()]
    files += [(f"{p.name}/{q.name}", q) for p in inputs if p.is_dir() for q in sorted(p.iterdir()) if q.is_file()]
    listed: list[dict[str, str | int]] = []
    for name, path in files:
        content = path.read_bytes()
        listed.append({"name": name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()})
    return listed


def sources_hash() -> str:
    """Return the SHA-256 of this package's own source, so that a card says what code made it."""
    root = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def sheet(films: Sequence[UInt8[np.ndarray, "t h w c"]], seen: Trajectory, frame: World) -> str:
    """Draw the first clips with the reader's rings, a row each, as an image for a page."""
    rows = []
    for film, place, radius in zip(films[:SHOWN], seen.position, seen.radius, strict=False):
        moments = np.linspace(0, len(film) - 1, min(MOMENTS, len(film))).round().astype(int)
        images = enlarge(film[moments], SIDE)
        ring(images, place[moments], radius[moments], frame, READ)
        rows.append(np.concatenate([np.pad(np.asarray(i), ((1, 1), (1, 1), (0, 0))) for i in images], axis=1))
    stream = io.BytesIO()
    Image.fromarray(np.concatenate(rows)).save(stream, "PNG")
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()


def _digest(card: dict[str, Any]) -> str:
    content = {name: value for name, value in card.items() if name != "signature"}
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
