"""Anybody's films: frame k is frame k through every road, and no file, however damaged, brings the laboratory down."""

import io
import struct
import time
import zlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from cavendish.data.decoding import Decoder, Limits, natural
from cavendish.data.media import read_clip, write_clip
from cavendish.errors import BadInputError, CavendishError, CorruptDataError

BITS, BLOCK = 8, 8


def counting(count: int, height: int = 32, width: int = 64) -> np.ndarray:
    """Make frames of which number k carries k, as a row of dark and bright squares."""
    frames = np.full((count, height, width, 3), 60, np.uint8)
    for k in range(count):
        for bit in range(BITS):
            if k >> bit & 1:
                frames[k, 8:24, bit * BLOCK : (bit + 1) * BLOCK] = 220
    return frames


def counted(frames: np.ndarray) -> list[int]:
    """Read the numbers back."""
    bright = frames[:, 10:22].mean((1, 3)) > 140
    return [sum(int(row[bit * BLOCK + BLOCK // 2]) << bit for bit in range(BITS)) for row in bright]


def encode(path: Path, frames: np.ndarray, codec: str, ticks: list[int] | None = None) -> Path:
    """Encode as others do: 4:2:0 chroma, B frames where the codec has them, a clock of milliseconds."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt = frames.shape[1], frames.shape[2], "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for k, frame in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            picture.pts, picture.time_base = (ticks[k] if ticks else 40 * k), Fraction(1, 1000)
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return path


ROADS = {
    "clip.mp4": "libx264",
    "clip.mov": "mpeg4",
    "clip.mkv": "libx264",
    "clip.webm": "libvpx-vp9",
    "clip.avi": "mpeg4",
}


@pytest.mark.parametrize("count", [1, 31, 32])
def test_frame_k_carries_k_through_every_codec(count: int, tmp_path: Path) -> None:
    with Decoder() as decoder:
        for name, codec in ROADS.items():
            film = decoder.read(encode(tmp_path / name, counting(count), codec))
            assert counted(film.frames) == list(range(count)), name
            if name != "clip.avi" and count > 1:
                assert film.time is not None
                assert np.allclose(film.time, np.arange(count) / 25, atol=1e-3), name
    for kind in ("mp4", "gif", "png"):
        path = write_clip(counting(count), tmp_path / "ours", kind, 10.0)
        assert counted(read_clip(path)) == list(range(count)), kind


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mov"])
@pytest.mark.parametrize("turns", [1, 2, 3])
def test_films_of_a_phone_that_was_held_sideways_are_decoded_upright(name: str, turns: int, tmp_path: Path) -> None:
    upright = np.full((5, 48, 32, 3), 60, np.uint8)
    upright[:, 8:16, 4:12] = 220  # a mark in the upper left corner
    held = np.rot90(upright, -turns, axes=(1, 2))
    with av.open(str(tmp_path / name), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = held.shape[1], held.shape[2], "yuv420p"
        stream.set_display_rotation(90 * turns if turns < 3 else -90)
        for frame in held:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")))
        container.mux(stream.encode())
    with Decoder() as decoder:
        film = decoder.read(tmp_path / name)
    assert film.frames.shape == upright.shape
    assert np.abs(film.frames.astype(int) - upright).mean() < 3


def test_a_film_that_is_to_be_shown_aslant_is_refused(tmp_path: Path) -> None:
    path = encode(tmp_path / "clip.mp4", counting(4), "libx264")
    whole = path.read_bytes()
    matrix = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30)
    assert matrix in whole
    at = whole.rindex(matrix)  # the track's own, after the film's
    path.write_bytes(
        whole[:at] + struct.pack(">9i", 46341, 46341, 0, -46341, 46341, 0, 0, 0, 1 << 30) + whole[at + 36 :]
    )
    with Decoder() as decoder, pytest.raises(CorruptDataError, match="no quarter turn"):
        decoder.read(path)
    path.write_bytes(whole[:at] + struct.pack(">9i", -65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30) + whole[at + 36 :])
    with Decoder() as decoder:  # a mirrored selfie
        assert counted(decoder.read(path).frames[:, :, ::-1]) == [0, 1, 2, 3]


def test_a_film_of_varying_rate_keeps_its_frames_and_its_clock(tmp_path: Path) -> None:
    ticks = np.cumsum([0, *np.random.default_rng(0).integers(10, 200, 30)]).tolist()
    for name in ("clip.mp4", "clip.webm"):
        with Decoder() as decoder:
            film = decoder.read(encode(tmp_path / name, counting(31), ROADS[name], [t + 500 for t in ticks]))
        assert counted(film.frames) == list(range(31))
        assert film.time is not None
        assert np.allclose(film.time, np.array(ticks) / 1000, atol=2e-3)


def test_images_come_in_the_order_of_their_numbers_without_gaps(tmp_path: Path) -> None:
    for folder, names in (("plain", range(13)), ("from-one", range(1, 14)), ("tens", range(0, 130, 10))):
        (tmp_path / folder).mkdir()
        for k, number in enumerate(names):
            Image.fromarray(counting(13)[k]).save(tmp_path / folder / f"shot2_{number}.png")
        assert counted(read_clip(tmp_path / folder)) == list(range(13))
    (tmp_path / "plain" / "shot2_5.png").unlink()
    with pytest.raises(BadInputError, match="image 4 is followed by 6"):
        read_clip(tmp_path / "plain")
    (tmp_path / "few").mkdir()
    for number in (0, 1, 3):
        Image.fromarray(counting(1)[0]).save(tmp_path / "few" / f"{number}.png")
    with pytest.raises(BadInputError, match="image 1 is followed by 3"):
        read_clip(tmp_path / "few")
    Image.fromarray(counting(13)[0, :16]).save(tmp_path / "plain" / "shot2_5.png")
    with pytest.raises(CorruptDataError, match="frame 5 is 64 x 16"):
        read_clip(tmp_path / "plain")
    assert sorted([Path("a10"), Path("a9"), Path("a1b2")], key=natural) == [Path("a1b2"), Path("a9"), Path("a10")]


def test_a_picture_is_read_as_a_viewer_shows_it(tmp_path: Path) -> None:
    grey = np.linspace(0, 255, 64).astype(np.uint8).reshape(8, 8)
    deep = grey.astype(np.uint16) * 257
    Image.fromarray(deep).save(tmp_path / "deep.png")
    clear = np.zeros((8, 8, 4), np.uint8)
    clear[:4] = (255, 0, 0, 255)  # red above, nothing below
    Image.fromarray(clear).save(tmp_path / "clear.png")
    Image.fromarray(clear).quantize(4).save(tmp_path / "palette.png")
    turned = Image.Exif()
    turned[0x0112] = 6  # to be turned by a quarter, clockwise
    wide = np.zeros((8, 16, 3), np.uint8)
    wide[:, :8] = 255
    Image.fromarray(wide).save(tmp_path / "photo.jpg", quality=95, exif=turned)
    found = {name: read_clip(tmp_path / name)[0].astype(int) for name in ("deep.png", "clear.png", "palette.png")}
    assert (found["deep.png"] == grey[..., None]).all()
    for name in ("clear.png", "palette.png"):
        assert np.abs(found[name][:4] - (255, 0, 0)).max() <= 1, name
        assert np.abs(found[name][4:] - 255).max() <= 1, name
    hidden = [Image.fromarray(wide[:4])]  # phones keep smaller pictures behind the photo
    Image.fromarray(wide).save(tmp_path / "phone.jpg", "MPO", save_all=True, append_images=hidden)
    assert read_clip(tmp_path / "phone.jpg").shape == (1, 8, 16, 3)
    photo = read_clip(tmp_path / "photo.jpg")[0]
    assert photo.shape == (16, 8, 3)
    assert photo[:7].min() > 240
    assert photo[-7:].max() < 15


def png(width: int, height: int, data: bytes) -> bytes:
    """Write a PNG by hand, with whatever it claims."""
    parts = [b"\x89PNG\r\n\x1a\n"]
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    for kind, body in ((b"IHDR", header), (b"IDAT", data), (b"IEND", b"")):
        parts.append(struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)))
    return b"".join(parts)


def animated(kind: str) -> bytes:
    """Encode a GIF or a WebP."""
    stream, images = io.BytesIO(), [Image.fromarray(frame) for frame in counting(8)]
    images[0].save(stream, kind, save_all=True, append_images=images[1:], duration=40)
    return stream.getvalue()


def seeds(folder: Path) -> dict[str, bytes]:
    """Make one good film of every kind."""
    films = {name: encode(folder / name, counting(16), codec).read_bytes() for name, codec in ROADS.items()}
    films["ours.mp4"] = write_clip(counting(16), folder / "ours", "mp4", 10.0).read_bytes()
    return films | {
        "clip.gif": animated("GIF"),
        "a.webp": animated("WEBP"),
        "a.png": png(8, 8, zlib.compress(bytes(200))),
    }


def hostile(folder: Path) -> dict[str, bytes]:
    """Write files meant to hurt: bombs, lies about size, other formats under a film's name, playlists."""
    bomb = zlib.compress(bytes(200_000_000), 9)
    big = encode(folder / "big.mp4", np.zeros((2, 4608, 4608, 3), np.uint8), "libx264").read_bytes()
    long = encode(folder / "long.mp4", np.zeros((5000, 16, 16, 3), np.uint8), "libx264").read_bytes()
    still = encode(folder / "none.mp4", counting(1), "libx264").read_bytes()
    return {
        "empty.mp4": b"",
        "text.mp4": b"this is not a film\n" * 50,
        "page.webm": b"<html><body>402</body></html>",
        "list.mp4": b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n",
        "join.mp4": b"ffconcat version 1.0\nfile /etc/passwd\n",
        "zeros.mov": bytes(5000),
        "ftyp.mp4": b"\0\0\0\x18ftypisom" + bytes(3000),
        "bomb.png": png(60_000, 60_000, bomb),
        "wide.png": png(12_000, 12_000, bomb),
        "claim.png": png(2**31 - 1, 2**31 - 1, b"x"),
        "claim.gif": b"GIF89a\xff\xff\xff\xff\xf0\0\0" + animated("GIF")[13:],
        "zip.gif": b"PK\x03\x04" + bytes(100),
        "big.mp4": big,
        "long.mp4": long,
        "header.mp4": still[: still.find(b"mdat") + 4],
        "slow.gif": animated("GIF").replace(b"\x21\xf9\x04\x04\x04\0", b"\x21\xf9\x04\x04\xff\xff", 1),
    }


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """Cut a file short, or turn bits, wipe, swap or insert bytes; headers are hit as often as the rest."""
    data, way = bytearray(content), int(rng.integers(5))
    span = len(data) if rng.random() < 0.5 else min(len(data), 400)
    if way == 0:
        return bytes(data[: int(rng.integers(len(data)))])
    for _ in range(int(rng.integers(1, 12))):
        at = int(rng.integers(span))
        if way == 1:
            data[at] ^= 1 << int(rng.integers(8))
        elif way == 2:
            data[at : at + 16] = bytes(16)
        elif way == 3:
            data[at : at + 4] = b"\xff\xff\xff\xff"
        else:
            data[at:at] = rng.bytes(int(rng.integers(1, 64)))
    return bytes(data)


def test_500_damaged_or_hostile_files_are_decoded_or_refused_by_name(tmp_path: Path) -> None:
    rng, good = np.random.default_rng(7), seeds(tmp_path)
    names = sorted(good)
    attacks = hostile(tmp_path)
    planted = set(attacks) - {"slow.gif"}
    for number in range(500 - len(attacks)):
        name = names[number % len(names)]
        other = names[int(rng.integers(len(names)))] if rng.random() < 0.1 else name  # sometimes under a wrong name
        attacks[f"{number:03d}-{other}"] = damaged(good[name], rng)
    assert len(attacks) == 500
    decoded, refused, slowest = 0, {}, 0.0
    with Decoder() as decoder:
        for name, content in attacks.items():
            (tmp_path / name).write_bytes(content)
            begun = time.monotonic()
            try:
                film = decoder.read(tmp_path / name)
                decoded += 1
                assert film.frames.ndim == 4
                assert film.frames.shape[-1] == 3
            except CavendishError as refusal:
                refused[name] = str(refusal)
            slowest = max(slowest, time.monotonic() - begun)
    assert decoded + len(refused) == 500
    assert all(name in reason and "\n" not in reason for name, reason in refused.items())
    assert decoded > 50
    assert planted <= set(refused), "a hostile file was taken"
    assert slowest < 30
    print(f"\n{decoded} decoded, {len(refused)} refused, {decoder.born} children, slowest {slowest:.2f} s")


def test_a_child_that_is_killed_or_starved_costs_one_file(tmp_path: Path) -> None:
    film = encode(tmp_path / "clip.mp4", counting(16), "libx264")
    with Decoder() as decoder:
        assert len(decoder.read(film).frames) == 16
        assert decoder.child is not None
        decoder.child.kill()
        decoder.child.wait()
        assert len(decoder.read(film).frames) == 16
        assert decoder.born == 2
    hard = encode(
        tmp_path / "hard.mp4", np.random.default_rng(0).integers(0, 256, (6, 480, 640, 3), np.uint8), "libx264"
    )
    with Decoder(Limits(seconds=0.02)) as decoder:
        with pytest.raises(CorruptDataError, match=r"hard\.mp4.*processor time"):
            decoder.read(hard)
        assert decoder.child is None
    with Decoder(Limits(frames=10)) as decoder, pytest.raises(CorruptDataError, match="more than 10 frames"):
        decoder.read(film)
