"""Films that another program made are weighed as a new user would: from the README's example, knowing no source."""

import json
import os
import re
import shlex
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from cavendish.cli import call
from cavendish.data.media import write_clip

README = (Path(__file__).parents[1] / "README.md").read_text()
FPS, WIDTH, HEIGHT, METRES, GRAVITY = 30, 320, 240, 6.4, 9.81


def encode(path: Path, frames: np.ndarray, fps: int = FPS) -> None:
    """Save frames as most programs do: H.264, 4:2:0, lossy."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps))
        stream.height, stream.width, stream.pix_fmt = frames.shape[1], frames.shape[2], "yuv420p"
        stream.options = {"crf": "18"}
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


def thrown(rng: np.random.Generator, gravity: float, count: int = 24) -> np.ndarray:
    """Follow one throw in metres: count x (right, up)."""
    time = np.arange(count) / FPS
    x0, y0, vx = rng.uniform(0.6, 2.0), rng.uniform(3.6, 4.2), rng.uniform(1.5, 4.0)
    return np.stack([x0 + vx * time, y0 - 0.5 * gravity * time**2], -1)


def filmed_by_pygame(folder: Path, gravity: float = GRAVITY, clips: int = 20, backdrop: str = "plain") -> None:
    """Film throws with pygame's own drawing: its colours, whole pixels, hard rims."""
    os.environ["SDL_VIDEODRIVER"] = "dummy"
    pygame = pytest.importorskip("pygame")
    rng, scale = np.random.default_rng(3), WIDTH / METRES
    folder.mkdir()
    for number in range(clips):
        frames = []
        radius = int(rng.integers(9, 15))
        for x, y in thrown(rng, gravity):
            surface = pygame.Surface((WIDTH, HEIGHT))
            surface.fill((25, 30, 60))
            if backdrop == "landscape":
                for band in range(0, HEIGHT, 6):
                    pygame.draw.rect(surface, (20 + band // 3, 60 + band // 4, 140 - band // 2), (0, band, WIDTH, 6))
                pygame.draw.polygon(surface, (60, 90, 60), [(0, 240), (90, 120), (200, 240)])
            pygame.draw.circle(surface, (240, 170, 30), (x * scale, HEIGHT - y * scale), radius)
            frames.append(pygame.surfarray.array3d(surface).swapaxes(0, 1))
        encode(folder / f"throw{number}.mp4", np.array(frames))


def filmed_by_pymunk(folder: Path, clips: int = 20) -> None:
    """Let pymunk step throws and draw them with its own debug drawing: outlines, spokes and its palette."""
    os.environ["SDL_VIDEODRIVER"] = "dummy"
    pygame, pymunk = pytest.importorskip("pygame"), pytest.importorskip("pymunk")
    from pymunk import pygame_util

    rng, scale, steps = np.random.default_rng(4), WIDTH / METRES, 20
    folder.mkdir()
    for number in range(clips):
        space, surface = pymunk.Space(), pygame.Surface((WIDTH, HEIGHT))
        space.gravity = (0.0, GRAVITY * scale)  # its pictures have y downwards
        body = pymunk.Body(1.0, 1.0)
        ball = pymunk.Circle(body, float(rng.integers(12, 18)))
        (x, y), speed = thrown(rng, GRAVITY, 1)[0] * scale, rng.uniform(1.5, 4.0) * scale
        body.position, body.velocity = (x, HEIGHT - y), (speed, 0.0)
        space.add(body, ball)
        frames, brush = [], pygame_util.DrawOptions(surface)
        for _ in range(24):
            surface.fill((255, 255, 255))
            space.debug_draw(brush)
            frames.append(pygame.surfarray.array3d(surface).swapaxes(0, 1).copy())
            for _ in range(steps):
                space.step(1 / FPS / steps)
        encode(folder / f"throw{number}.mp4", np.array(frames))


def scores_of(folder: Path) -> dict[str, dict[str, float]]:
    """Read a card's scores by name."""
    return {score["name"]: score for score in json.loads((folder / "scorecard.json").read_text())["scores"]}


@pytest.mark.filterwarnings("ignore:.*avx2.*:RuntimeWarning")
@pytest.mark.parametrize("program", ["pygame", "pymunk"])
def test_a_new_user_weighs_films_of_another_program_by_the_readme(
    program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    if program == "pygame":
        filmed_by_pygame(tmp_path / "videos", backdrop="landscape")
    else:
        filmed_by_pymunk(tmp_path / "videos")
    (line,) = [
        shlex.split(found, comments=True) for found in re.findall(r"^(cavendish measure videos .*)$", README, re.M)
    ]
    assert call(line[1:]) == 0
    said = capsys.readouterr().out
    print(said)
    scores = scores_of(tmp_path / line[line.index("--out") + 1])
    fall = scores["acceleration of fall"]
    assert fall["unit"] == "m/s^2"
    assert fall["value"] == pytest.approx(GRAVITY, rel=0.03)
    assert scores["Galileo's ratio"]["value"] == pytest.approx(1.0, abs=0.03)
    assert scores["lost share"]["value"] == 0.0
    assert "learnt from what moves" in said


def test_without_scale_or_rate_the_ratios_still_hold(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    filmed_by_pygame(tmp_path / "videos", clips=8)
    assert call(["measure", str(tmp_path / "videos"), "--scene", "parabola", "--out", str(tmp_path / "card")]) == 0
    scores = scores_of(tmp_path / "card")
    assert scores["acceleration of fall"]["unit"] == "width/frame^2"
    assert scores["acceleration of fall"]["value"] == pytest.approx(GRAVITY / METRES / FPS**2, rel=0.03)
    assert scores["Galileo's ratio"]["value"] == pytest.approx(1.0, abs=0.03)
    assert scores["spread of falls"]["value"] < 0.05
    assert "files say 30 frames per second" in capsys.readouterr().out


def test_two_balls_on_a_dark_table_keep_their_momentum(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "videos").mkdir()
    rng = np.random.default_rng(5)
    rows, columns = np.mgrid[:96, :160] + 0.5
    for number in range(6):
        r1, r2 = rng.uniform(8, 12, 2)
        v1, v2 = rng.uniform(2.5, 4), rng.uniform(-3, -1)
        m1, m2, x1, x2, frames = r1**2, r2**2, 25.0, 120.0, []
        for _ in range(36):
            frame = np.full((96, 160, 3), (40, 60, 40), np.uint8)
            for x, r, colour in ((x1, r1, (250, 250, 80)), (x2, r2, (90, 200, 250))):
                frame[(columns - x) ** 2 + (rows - 48) ** 2 <= r * r] = colour
            frames.append(frame)
            if x2 - x1 <= r1 + r2 and v1 > v2:
                total = (m1 * v1 + m2 * v2) / (m1 + m2)
                v1, v2 = 2 * total - v1, 2 * total - v2
            x1, x2 = x1 + v1, x2 + v2
        encode(tmp_path / "videos" / f"{number}.mp4", np.array(frames))
    assert call(["measure", str(tmp_path / "videos"), "--scene", "collision", "--out", str(tmp_path / "card")]) == 0
    scores = scores_of(tmp_path / "card")
    assert scores["lost share"]["value"] == 0.0
    assert scores["drift of momentum x"]["value"] < 0.05
    capsys.readouterr()


def test_still_films_look_lawful_to_nobody(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "videos").mkdir()
    rows, columns = np.mgrid[:64, :64] + 0.5
    for number in range(5):
        still = np.full((20, 64, 64, 3), 255, np.uint8)
        still[:, (columns - 12 - 9 * number) ** 2 + (rows - 30) ** 2 < 60] = (255, 0, 0)
        write_clip(still, tmp_path / "videos" / f"{number}", "png", 10.0)
    assert call(["measure", str(tmp_path / "videos"), "--scene", "parabola", "--out", str(tmp_path / "card")]) == 0
    scores = scores_of(tmp_path / "card")
    assert scores["still share"]["value"] == 1.0
    for name in ("acceleration of fall", "Galileo's ratio", "spread of falls", "drift of momentum x"):
        assert scores[name]["n"] == 0, name
    assert json.loads((tmp_path / "card" / "scorecard.json").read_text())["law"]["verdict"] == "no law"
    assert "no law" in capsys.readouterr().out


def test_one_damaged_or_different_film_stops_the_measurement_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    films, measure = tmp_path / "videos", ["measure", str(tmp_path / "videos"), "--scene", "parabola"]
    films.mkdir()
    picture = np.full((12, 32, 32, 3), 255, np.uint8)
    for number in range(3):
        write_clip(picture, films / f"{number}", "mp4", 10.0)
    whole = (films / "1.mp4").read_bytes()
    (films / "1.mp4").write_bytes(whole[: len(whole) // 2])
    assert call(measure) == 3
    assert "1.mp4" in capsys.readouterr().err
    write_clip(picture[:9], films / "1", "mp4", 10.0)
    assert call(measure) == 2
    assert "1.mp4: 9 frames of 32 x 32, expected 12" in capsys.readouterr().err
    write_clip(picture, films / "1", "mp4", 20.0)
    assert call(measure) == 2
    assert "1.mp4: its clock runs" in capsys.readouterr().err
    write_clip(picture, films / "1", "mp4", 10.0)
    assert call([*measure, "--colours", "ff0000"]) == 2
    assert "colours: 1 given" in capsys.readouterr().err
    assert call([*measure, "--fps", "-3"]) == 2
    assert "fps = -3" in capsys.readouterr().err
    assert call(measure) == 2  # nothing moves and nothing is red
    assert "nothing moves" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["drag-fall", "attribute-conflict", "hidden-mass", "occlusion", "pushable"])
def test_true_films_without_states_are_weighed_by_their_law(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(["render", name, "--count", "4", "--size", "64", "--out", str(tmp_path / "films")]) == 0
    (tmp_path / "films" / "states.npz").unlink()
    assert call(["measure", str(tmp_path / "films"), "--scene", name]) == 0
    said = capsys.readouterr().out
    assert "the scene's own" in said
    if name in ("drag-fall", "occlusion"):
        assert "same structure" in said
