"""Rigid bodies in a box: three independent dials, one outcome for all, and no body mistaken for another."""

import sys
from dataclasses import replace
from hashlib import sha256
from itertools import combinations
from multiprocessing import get_context

import numpy as np
import pytest

from cavendish.data import Picture, Split
from cavendish.errors import BadInputError
from cavendish.motion import Drawing, Shape, Trajectory, World
from cavendish.readout import Reader
from cavendish.readout.reader import symmetry
from cavendish.render import render
from cavendish.scenes import Combinatorial
from cavendish.scenes.layouts import KINDS, PIECES, TEMPLATES
from cavendish.scenes.looks import RED, WHITE, in_view

SIDE = 128
PIXEL = 10 / SIDE


def trajectories(scene: Combinatorial, count: int, region: str = "train") -> Trajectory:
    """Play a few clips."""
    return Split(scene, region).trajectories(np.arange(count))


def present(truth: Trajectory) -> np.ndarray:
    """Mark the bodies that a clip shows."""
    return truth.position[..., 0] > 0


def noisy(frames: np.ndarray, sigma: float) -> np.ndarray:
    """Add sensor noise."""
    noise = np.random.default_rng(0).normal(0, sigma, frames.shape)
    return np.clip(frames + noise, 0, 255).round().astype(np.uint8)


def test_there_are_seventy_templates_and_the_first_six_show_every_pair_of_kinds() -> None:
    assert len(set(TEMPLATES)) == 70
    assert all(len(set(template)) == 4 for template in TEMPLATES)
    pairs = {pair for template in TEMPLATES[:6] for pair in combinations(template, 2)}
    assert pairs == set(combinations(KINDS, 2))


@pytest.mark.parametrize(
    ("region", "templates", "new_layouts"),
    [
        ("train", (0, 60), False),
        ("interpolation", (0, 60), False),
        ("templates-6", (0, 6), False),
        ("templates-30", (0, 30), False),
        ("held-out-layout", (0, 60), True),
        ("held-out-template", (60, 70), False),
        ("held-out-both", (60, 70), True),
    ],
)
def test_templates_and_layouts_are_held_out_one_by_one(
    region: str, templates: tuple[int, int], new_layouts: bool
) -> None:
    rng = np.random.default_rng(0)
    rows = np.array([Combinatorial(layouts=3).sample(region, rng) for _ in range(60)])
    template, layout = rows[:, 0], rows[:, 1]
    assert np.array_equal(rows[:, :2], rows[:, :2].round())
    assert templates[0] <= template.min() <= template.max() < templates[1]
    assert len(np.unique(template)) > 0.4 * min(60, templates[1] - templates[0])
    assert (layout >= 1_000_000).all() if new_layouts else set(layout) == {0, 1, 2}


def test_a_layout_is_the_same_for_every_clip_that_has_it() -> None:
    one = Combinatorial(layouts=1)
    rng = np.random.default_rng(0)
    rows = np.array([one.sample("templates-6", rng) for _ in range(30)])
    first = one.simulate(rows, np.array([0.0]))
    for template in np.unique(rows[:, 0]):
        same = first.position[rows[:, 0] == template, 0, 1:]
        assert (same == same[0]).all()


def outcome(index: int) -> str:
    """Hash the motion of one clip."""
    truth = Split(Combinatorial(), "held-out-both").trajectories(np.array([index]))
    assert truth.angle is not None
    return sha256(truth.position.tobytes() + truth.velocity.tobytes() + truth.angle.tobytes()).hexdigest()


def test_the_outcome_is_the_same_to_the_bit_again_and_in_any_process() -> None:
    alone = [outcome(index) for index in range(4)]
    assert [outcome(index) for index in reversed(range(4))] == alone[::-1]
    with get_context("spawn").Pool(2) as processes:
        assert processes.map(outcome, range(4)) == alone


def test_until_something_touches_bodies_fall_exactly() -> None:
    truth = trajectories(Combinatorial(), 20)
    fallen = truth.position[:, 0, :, 1] - 0.5 * 9.8 * truth.time[2] ** 2 - truth.position[:, 2, :, 1]
    assert (np.abs(fallen) < 1e-12).sum() > 30


def test_nothing_gains_energy() -> None:
    scene, time = Combinatorial(), np.arange(0, 3.0, 0.01)
    rng = np.random.default_rng(1)
    moving = scene.simulate(np.array([scene.sample("train", rng) for _ in range(12)]), time)
    heavy = present(moving) & ~np.array([piece.fixed for piece in PIECES])
    assert moving.angle is not None
    outlines = scene.draw(moving).outline
    assert outlines is not None
    mass = np.where(heavy, np.pi * moving.radius**2, 0.0)
    spin = np.gradient(moving.angle, time, axis=1)
    inertia = np.array([_mean_square(piece.outline) for piece in PIECES]) * mass * moving.radius**2
    energy = mass * (0.5 * (moving.velocity**2).sum(-1) + 9.8 * moving.position[..., 1]) + 0.5 * inertia * spin**2
    total = energy.sum(-1) / mass.sum(-1)
    gained = (total.max(1) - total[:, 0]) / total[:, 0]
    assert gained.max() < 1e-3
    assert (total[:, -1] < total[:, 0]).all()


def _mean_square(outline: np.ndarray | None) -> float:
    """Return the mean squared distance from the centroid at extent 1, from a fine grid."""
    if outline is None:
        return 0.5
    fine = np.linspace(-3.5, 3.5, 701)
    points = np.stack(np.meshgrid(fine, fine), -1).reshape(-1, 2)
    after = np.roll(outline, -1, axis=0)
    odd = np.zeros(len(points), bool)
    for (ax, ay), (bx, by) in zip(outline, after, strict=True):
        if ay != by:
            odd ^= ((ay > points[:, 1]) != (by > points[:, 1])) & (
                points[:, 0] < ax + (points[:, 1] - ay) * (bx - ax) / (by - ay)
            )
    return float((points[odd] ** 2).sum(-1).mean())


def test_smaller_steps_of_the_engine_change_little() -> None:
    rng = np.random.default_rng(5)
    rows = np.array([Combinatorial().sample("train", rng) for _ in range(12)])
    usual, fine = (Combinatorial(solver_step=step).simulate(rows, Combinatorial.clock()) for step in (0.001, 0.00025))
    apart = np.linalg.norm(usual.position - fine.position, axis=-1).max(-1)
    assert np.median(apart[:, 5]) < 0.01  # after half a second
    assert np.median(apart[:, 31]) < 0.3  # at the end; single clips part ways for good


def test_a_push_moves_the_body_that_is_pushed() -> None:
    scene = Combinatorial()
    row = scene.sample("train", np.random.default_rng(0))[None]
    pushes = np.zeros((1, 32, scene.bodies, 2))
    pushes[0, 0, 0] = (0.3, 0.0)
    moved = scene.simulate(row, scene.clock(), pushes.reshape(1, 32, -1))
    assert abs(moved.velocity[0, 1, 0, 0]) > 0.05
    with pytest.raises(BadInputError, match="actions"):
        scene.simulate(row, scene.clock(), np.zeros((1, 32, 2)))


@pytest.mark.parametrize(("sigma", "screen"), [(0, 0.0), (10, 0.0), (4, 1.2)])
def test_identity_is_kept_through_contact_and_occlusion(sigma: float, screen: float) -> None:
    scene = Combinatorial(screen=screen)
    clip = Split(scene, picture=Picture(SIDE, SIDE)).clips(np.arange(12))
    truth = clip.trajectory
    assert truth is not None
    drawing = scene.draw(truth)
    found = Reader.of(drawing).read(noisy(clip.frames.numpy(), sigma), truth.time)
    near = np.linalg.norm(found.position - truth.position, axis=-1) < 1.5 * PIXEL
    seen = in_view(drawing) & present(truth)
    kept = np.where(seen, near, found.lost | present(truth))
    assert kept.all(-1).mean() >= 0.99


TURNING = {n: piece for n, piece in enumerate(PIECES) if piece.outline is not None}


@pytest.mark.parametrize(("sigma", "allowed"), [(0, 0.1), (10, 1.0)])
@pytest.mark.parametrize("n", TURNING)
def test_angles_are_read_as_they_were_drawn(n: int, sigma: float, allowed: float) -> None:
    outline = TURNING[n].outline
    assert outline is not None
    rng = np.random.default_rng(n)
    turning = np.cumsum(rng.uniform(-0.3, 0.3, (40, 1)), 0)
    drawing = Drawing(
        np.array([Shape.POLYGON]),
        rng.uniform(4, 6, (40, 1, 2)),
        rng.uniform(0.5, 0.9, (40, 1)),
        np.array([RED], np.uint8),
        np.array(WHITE, np.uint8),
        World(),
        turning,
        outline[None],
    )
    found = Reader.of(drawing).read(noisy(render(drawing, SIDE, SIDE), sigma), np.arange(40) * 0.1)
    assert found.angle is not None
    off = found.angle - turning
    period = symmetry(outline)
    assert np.degrees(np.abs(off - period * np.round(off / period))).max() < allowed
    assert np.degrees(np.ptp(off)) < 2 * allowed  # the same way round in all frames
    assert np.sqrt(((found.position - drawing.centre) ** 2).mean()) / PIXEL < (0.15 if sigma else 0.03)


def test_a_blue_bar_is_not_a_body_of_another_colour() -> None:
    scene = Combinatorial()
    truth = trajectories(scene, 1)
    drawing = scene.draw(truth)
    grey = replace(drawing, colour=np.full_like(drawing.colour, 60))
    found = Reader.of(drawing).read(render(grey, SIDE, SIDE), truth.time)
    assert found.lost.all()


@pytest.mark.parametrize(
    ("row", "named"),
    [
        ([70.0, 0.0, 0.5, 5.0, 5.0], "template"),
        ([0.0, 0.5, 0.5, 5.0, 5.0], "layout"),
        ([0.0, 0.0, 0.0, 5.0, 5.0], "radius"),
        ([0.0, 0.0, 0.5, 0.1, 5.0], "overlaps"),
    ],
)
def test_impossible_rooms_are_refused_by_name(row: list[float], named: str) -> None:
    with pytest.raises(BadInputError, match=named):
        Combinatorial().simulate(np.array([row]), np.array([0.0]))


@pytest.mark.parametrize(
    ("field", "value"),
    [("layouts", 0), ("solver_step", 0.0), ("screen", 10.0), ("iterations", 0), ("restitution", 2.0)],
)
def test_impossible_constants_are_refused_by_name(field: str, value: float) -> None:
    with pytest.raises(BadInputError, match=field):
        replace(Combinatorial(), **{field: value})


def test_without_the_engine_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pymunk", None)
    with pytest.raises(BadInputError, match=r"cavendish\[rigid\]"):
        Combinatorial().simulate(np.array([[1.0, 0.0, 0.5, 5.0, 5.0]]), np.array([0.0]))


def test_a_thin_bar_between_a_jar_and_the_floor_is_never_lost() -> None:
    scene = Combinatorial()
    clip = Split(scene, seed=901, size=10**9, picture=Picture(SIDE, SIDE)).clips(np.array([63]))
    truth = clip.trajectory
    assert truth is not None
    found = Reader.of(scene.draw(truth)).read(noisy(clip.frames.numpy(), 10), truth.time)
    off = np.linalg.norm(found.position - truth.position, axis=-1)[present(truth)] / PIXEL
    assert off.max() < 0.3
    assert np.sqrt(np.mean(off**2)) < 0.1
