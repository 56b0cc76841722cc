"""What carries, what contains, what holds; and worlds whose physics is wrong on purpose."""

import numpy as np
import pytest

from cavendish.data import Picture
from cavendish.data.ambiguity import outcomes
from cavendish.errors import BadInputError
from cavendish.scenes import SCENES, WRONG_PHYSICS, Collision, HiddenFriction, Parabola, Support
from cavendish.scenes.hidden_friction import LANES
from cavendish.scenes.scene import Factor, Scene

FINE = np.linspace(0.0, 3.1, 3101)


def sampled(scene: Scene, region: str = "train", count: int = 100) -> np.ndarray:
    """Draw factor rows."""
    rng = np.random.default_rng(0)
    return np.array([scene.sample(region, rng) for _ in range(count)])


def test_a_ball_wider_than_the_slot_is_carried_and_a_narrower_one_is_contained() -> None:
    scene, rows = Support(), sampled(Support())
    y = scene.simulate(rows, FINE).position[:, -1, 0, 1]
    wide = 2 * rows[:, 0] > rows[:, 1]
    assert 0.2 < wide.mean() < 0.8
    rims = y[wide] - scene.top
    assert np.allclose(np.hypot(rims, rows[wide, 1] / 2), rows[wide, 0], atol=1e-12)  # it touches both rims
    assert np.allclose(y[~wide], scene.bottom + rows[~wide, 0], atol=1e-12)


def test_a_ball_falls_freely_until_it_lands_and_then_stays() -> None:
    scene, rows = Support(), sampled(Support())
    moving = scene.simulate(rows, FINE)
    y, rest = moving.position[:, :, 0, 1], moving.position[:, -1:, 0, 1]
    free = rows[:, 3:] - 0.5 * scene.gravity * FINE**2
    assert np.abs(y - np.maximum(free, rest)).max() < 1e-12
    assert (moving.velocity[:, -1] == 0).all()


def test_half_a_pixel_decides_whether_a_ball_falls_in() -> None:
    scene = Support()
    row = np.array([0.8, 1.6, 5.0, 8.0])
    ends = outcomes(scene, row, Picture(64, 64), 400, np.random.default_rng(0)).position[:, -1, 0, 1]
    inside = (ends < scene.top).mean()
    assert 0.4 < inside < 0.6
    assert not ((ends > 1.5) & (ends < scene.top)).any()  # two outcomes, nothing between
    sure = outcomes(scene, row + np.array([0.2, 0, 0, 0]), Picture(64, 64), 400, np.random.default_rng(0))
    assert (sure.position[:, -1, 0, 1] > scene.top).all()
    doubtful = sampled(scene, "doubtful")
    assert np.abs(2 * doubtful[:, 0] - doubtful[:, 1]).max() <= 0.1


def test_the_hidden_friction_shows_only_behind_the_shore() -> None:
    scene, rows = HiddenFriction(), sampled(HiddenFriction())
    swapped = rows[:, [0, 1, 3, 2, 4]]
    here, there = scene.simulate(rows, FINE), scene.simulate(swapped, FINE)
    on_ice = here.position[..., 0] <= scene.shore
    assert np.array_equal(here.position[on_ice], there.position[on_ice])
    assert (on_ice.all(-1)[:, FINE <= 0.3]).all()  # nothing to be seen in the context
    assert np.allclose(here.position[:, :, 0, 0], there.position[:, :, 1, 0])
    assert np.abs(here.position[:, -1, 0, 0] - here.position[:, -1, 1, 0]).mean() > 0.3


def test_sand_stops_a_ball_after_v_squared_over_two_mu_g() -> None:
    scene = HiddenFriction()
    row = np.array([[0.6, 3.0, 0.2, 0.5, 1.0]])
    end = scene.simulate(row, np.array([0.0, 60.0]))
    assert np.allclose(end.position[0, 1, :, 0] - scene.shore, 9 / (2 * np.array([0.2, 0.5]) * scene.gravity))
    assert np.abs(end.velocity[0, 1]).max() < 1e-12
    assert np.allclose(end.position[0, 1, :, 1], np.array(LANES) + 0.6)


def test_every_wrong_world_is_wrong() -> None:
    rows = {kind: sampled(kind(), count=40) for kind in {type(scene) for scene in WRONG_PHYSICS}}
    for scene in WRONG_PHYSICS:
        moving = scene.simulate(rows[type(scene)], FINE)
        mass = np.pi * moving.radius**2
        energy = 0.5 * (mass * (moving.velocity**2).sum(-1)).sum(-1)
        if isinstance(scene, Collision):
            change = (energy[:, -1] - energy[:, 0]) / energy[:, 0]
            assert (change > 0.01 if scene.restitution > 1 else change < -0.01).mean() > 0.9
            momentum = (mass * moving.velocity[..., 0]).sum(-1)
            assert np.abs(np.ptp(momentum, axis=1)).max() < 1e-9
        elif isinstance(scene, Parabola):
            assert (moving.position[:, -1, 0, 1] > moving.position[:, 0, 0, 1] + 5).all()
        else:
            bend = np.gradient(moving.velocity[:, :, 0], FINE, axis=1).mean(1)
            assert np.linalg.norm(bend, axis=-1).min() > 0.05
    up = Parabola(gravity=-2.5)
    assert (sampled(up)[:, 3] < 5).all()  # it starts near the floor, to be seen


@pytest.mark.parametrize("kind", SCENES, ids=lambda kind: kind.name())
def test_every_scene_refuses_what_cannot_be(kind: type[Scene]) -> None:
    scene, row = kind(), sampled(kind(), count=1)
    for column, factor in enumerate(scene.factors):
        for bad in (np.nan, np.inf):
            broken = row.copy()
            broken[0, column] = bad
            with pytest.raises(BadInputError, match=f"'{factor.name}' = {bad:g}"):
                scene.simulate(broken, FINE)
        if factor.name.startswith("radius"):
            for bad in (0.0, -1.0):
                broken = row.copy()
                broken[0, column] = bad
                with pytest.raises(BadInputError, match=f"'{factor.name}' = {bad:g} m, expected > 0"):
                    scene.simulate(broken, FINE)
    with pytest.raises(BadInputError, match="factors have shape"):
        scene.simulate(row[:, :-1], FINE)
    for time, named in (
        ([0.0, 0.2, 0.1], r"time = 0\.1 s follows 0\.2 s"),
        ([0.0, 0.1, 0.1], r"time = 0\.1 s follows 0\.1 s"),
        ([0.0, np.nan], "time = nan"),
        ([], "time has shape"),
    ):
        with pytest.raises(BadInputError, match=named):
            scene.simulate(row, np.array(time, float))


OVERLAPS = {
    "collision": {"x_blue": "x_red"},
    "hidden-mass": {"x_blue": "x_red"},
    "billiard": {"x_blue": "x_red", "y_blue": "y_red"},
    "pushable-pair": {"x_blue": "x_red", "y_blue": "y_red"},
    "composition": {"x_blue": "x_red", "y_blue": "y_red"},
}


@pytest.mark.parametrize("kind", [kind for kind in SCENES if kind.name() in OVERLAPS], ids=lambda kind: kind.name())
def test_bodies_that_overlap_are_refused(kind: type[Scene]) -> None:
    scene, row = kind(), sampled(kind(), count=1)
    names = [factor.name for factor in scene.factors]
    for moved, onto in OVERLAPS[scene.name()].items():
        row[0, names.index(moved)] = row[0, names.index(onto)]
    with pytest.raises(BadInputError, match="overlap"):
        scene.simulate(row, FINE)


@pytest.mark.parametrize("span", [(2.0, 1.0), (np.nan, 1.0), (0.0, np.inf)])
def test_impossible_ranges_are_refused(span: tuple[float, float]) -> None:
    with pytest.raises(BadInputError, match="factor 'speed': range"):
        Factor("speed", "m/s", {"train": (span,)})


@pytest.mark.parametrize(
    ("scene", "change", "named"),
    [
        (Support(), (1, -0.1), "gap"),
        (Support(), (3, 4.0), "inside the shelf"),
        (HiddenFriction(), (2, 0.0), "friction"),
        (HiddenFriction(), (1, 0.0), "velocity"),
        (HiddenFriction(), (4, 5.0), "ice"),
    ],
)
def test_impossible_starts_are_refused_by_name(scene: Scene, change: tuple[int, float], named: str) -> None:
    rows = sampled(scene, count=1)
    rows[0, change[0]] = change[1]
    with pytest.raises(BadInputError, match=named):
        scene.simulate(rows, FINE)


def test_constants_that_make_no_world_are_refused() -> None:
    for build in (lambda: Support(gravity=0.0), lambda: Support(bottom=5.0), lambda: HiddenFriction(shore=11.0)):
        with pytest.raises(BadInputError, match="expected"):
            build()
