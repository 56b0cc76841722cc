"""Known answers: what textbooks say about each law."""

import math

import numpy as np
import pytest

from cavendish.data import Split
from cavendish.errors import BadInputError
from cavendish.motion import Trajectory
from cavendish.scenes import (
    AristotleFall,
    Billiard,
    BouncingBall,
    ChargedParticle,
    Collision,
    CoupledSprings,
    DragFall,
    HiddenMass,
    Incline,
    Occlusion,
    Orbit,
    Parabola,
    Pendulum,
    RunawayMotion,
    Spring,
    UniformMotion,
)
from cavendish.scenes.billiard_events import play
from cavendish.scenes.scene import Scene

FINE = np.linspace(0.0, 3.1, 3101)


def run(scene: Scene, time: np.ndarray, **factors: float) -> Trajectory:
    """Simulate one clip from named factors; those not named are in the middle of their training range."""
    row = [factors.get(f.name, np.mean(f.ranges["train"]) if f.ranges else 5.0) for f in scene.factors]
    return scene.simulate(np.array([row], float), time)


def place(moving: Trajectory) -> np.ndarray:
    """Return the path of the first body of the first clip."""
    return moving.position[0, :, 0]


def speed(moving: Trajectory) -> np.ndarray:
    """Return the velocity of the first body of the first clip."""
    return moving.velocity[0, :, 0]


@pytest.mark.parametrize("radius", [0.5, 1.0])
def test_a_fall_through_honey_tends_to_its_terminal_speed(radius: float) -> None:
    scene, mass = DragFall(), np.pi * radius**2
    assert abs(speed(run(scene, np.array([0.0, 100.0]), radius=radius))[-1, 1] + 2.5 * mass / 3.0) < 1e-12


def test_thin_honey_is_the_parabola() -> None:
    thin = run(DragFall(drag=1e-7), FINE, radius=1.0, velocity=2.0, x=1.0, y=8.0)
    free = run(Parabola(), FINE, radius=1.0, velocity=2.0, x=1.0, y=8.0)
    assert np.abs(thin.position - free.position).max() < 1e-5


@pytest.mark.parametrize("restitution", [0.0, 0.3, 0.8, 1.0, 1.1])
def test_each_bounce_rises_to_restitution_squared_of_the_last(restitution: float) -> None:
    scene, fall = BouncingBall(restitution=restitution), 4.9
    time = np.linspace(0, 6, 60_001)
    height = place(run(scene, time, radius=1.0, y=scene.floor + 1.0 + fall))[:, 1] - scene.floor - 1.0
    assert height.min() > -1e-12
    first, rises = 1.0, 2 * restitution  # s; the fall from 4.9 m takes one second
    for bounce in range(1, 4):
        if restitution and first + rises / 2 < 6:
            peak = height[np.abs(time - first - rises / 2).argmin()]
            assert abs(peak - fall * restitution ** (2 * bounce)) < 1e-7
        first, rises = first + rises, rises * restitution


def test_countless_bounces_end_in_rest() -> None:
    scene = BouncingBall(restitution=0.5)
    end = 1.0 + 2 * 0.5 / 0.5  # s; the geometric series
    moving = run(scene, np.array([0.0, end - 1e-6, end + 1e-6, 50.0]), radius=1.0, y=scene.floor + 5.9)
    assert np.abs(place(moving)[1:, 1] - scene.floor - 1.0).max() < 1e-6
    assert np.array_equal(speed(moving)[2:, 1], [0.0, 0.0])


def test_a_block_climbs_its_stopping_distance() -> None:
    scene = Incline()
    braking = 2.5 * (math.sin(0.5) + 0.2 * math.cos(0.5))
    moving = run(scene, FINE, velocity=3.0, distance=1.0, radius=0.5)
    climbed = np.linalg.norm(place(moving) - place(moving)[0], axis=-1).max()
    assert abs(climbed - 9 / (2 * braking)) < 1e-6


def test_a_rough_slope_holds_the_block_for_ever() -> None:
    moving = run(Incline(friction=0.6), np.array([0.0, 5.0, 50.0]), velocity=2.0, distance=1.0, radius=0.5)
    assert np.array_equal(place(moving)[1], place(moving)[2])
    assert np.array_equal(speed(moving)[1:], np.zeros((2, 2)))


def test_a_smooth_slope_gives_the_speed_back() -> None:
    scene = Incline(friction=0.0)
    period = 2 * 3.0 / (2.5 * math.sin(0.5))
    moving = run(scene, np.array([0.0, period]), velocity=3.0, distance=1.0, radius=0.5)
    assert np.allclose(place(moving)[1], place(moving)[0], atol=1e-12)
    assert np.allclose(speed(moving)[1], -speed(moving)[0], atol=1e-12)


def test_a_slope_must_be_climbed() -> None:
    with pytest.raises(BadInputError, match="velocity"):
        run(Incline(), FINE, velocity=-1.0, distance=3.0)


def test_a_spring_swings_with_the_root_of_mass_over_stiffness() -> None:
    period = 2 * np.pi * math.sqrt(np.pi * 0.7**2 / 20)
    there = run(Spring(), np.array([0.0, period / 4, period / 2, period]), radius=0.7, velocity=2.0)
    y = place(there)[:, 1]
    assert abs(y[3] - y[0]) < 1e-12
    assert abs(y[2] - y[0]) < 1e-12
    assert abs(y[1] - y[0] - 2.0 * period / (2 * np.pi)) < 1e-12
    assert abs(y[0] - (10 - 4.2 - 2.5 * np.pi * 0.7**2 / 20)) < 1e-12


def mean_of_means(a: float, b: float) -> float:
    """Return Gauss's arithmetic-geometric mean."""
    for _ in range(40):
        a, b = (a + b) / 2, math.sqrt(a * b)
    return a


@pytest.mark.parametrize("amplitude", [1e-4, math.pi / 2, 3.0])
def test_a_pendulum_takes_longer_for_a_wider_swing_by_gausss_mean(amplitude: float) -> None:
    scene, small = Pendulum(), 2 * np.pi * math.sqrt(3.0 / 9.8)
    period = scene.period(np.array([[0.5, 3.0, amplitude]]))[0]
    assert abs(period / small * mean_of_means(1.0, math.cos(amplitude / 2)) - 1.0) < 1e-12
    moving = run(scene, np.array([0.0, period / 4, period]), length=3.0, amplitude=amplitude)
    assert np.abs(place(moving)[2] - place(moving)[0]).max() < 1e-12
    assert np.abs(place(moving)[1] - [5.0, 2.0]).max() < 1e-12
    assert np.abs(speed(moving)[[0, 2]]).max() < 1e-12


def test_a_pendulum_is_at_its_lowest_as_fast_as_its_fall_allows() -> None:
    scene = Pendulum()
    period = scene.period(np.array([[0.5, 3.0, 2.0]]))[0]
    lowest = run(scene, np.array([period / 4]), length=3.0, amplitude=2.0)
    assert abs(abs(speed(lowest)[0, 0]) - math.sqrt(2 * 9.8 * 3.0 * (1 - math.cos(2.0)))) < 1e-12


@pytest.mark.parametrize(("second", "stiffness"), [(1, 5.0), (-1, 15.0)])
def test_equal_balls_on_springs_have_two_pure_modes(second: int, stiffness: float) -> None:
    mass = np.pi * 0.5**2
    moving = run(
        CoupledSprings(), FINE, radius_red=0.5, radius_blue=0.5, offset_red=0.6, offset_blue=0.6 * second, y=5.0
    )
    swing = 0.6 * np.cos(math.sqrt(stiffness / mass) * FINE)
    assert np.abs(moving.position[0, :, 0, 0] - 10 / 3 - swing).max() < 1e-12
    assert np.abs(moving.position[0, :, 1, 0] - 20 / 3 - second * swing).max() < 1e-12


def test_coupled_balls_obey_newton() -> None:
    scene = CoupledSprings()
    row = {"radius_red": 0.4, "radius_blue": 0.7, "offset_red": 0.6, "offset_blue": -0.2, "y": 5.0}
    moving = run(scene, FINE, **row)
    x, h = moving.position[0, :, :, 0], FINE[1]
    force = np.pi * moving.radius[0, 0] ** 2 * (x[2:] - 2 * x[1:-1] + x[:-2]) / h**2
    u = x[1:-1] - np.array([10, 20]) / 3
    pull = np.stack([-5 * u[:, 0] + 5 * (u[:, 1] - u[:, 0]), -5 * u[:, 1] - 5 * (u[:, 1] - u[:, 0])], -1)
    assert np.abs(force - pull).max() < 1e-4


@pytest.mark.parametrize("swing", [0.7, 0.9, 1.0, 1.1])
def test_the_square_of_a_year_goes_as_the_cube_of_the_axis(swing: float) -> None:
    axis = 3.0 / (2 - swing**2)
    year = 2 * np.pi * math.sqrt(axis**3 / 40.0)
    moving = run(Orbit(), np.array([0.0, year / 2, year]), distance=3.0, swing=swing, direction=0.4)
    assert np.abs(place(moving)[2] - place(moving)[0]).max() < 1e-12
    across = np.linalg.norm(place(moving)[1] - place(moving)[0])
    assert abs(across - 2 * axis) < 1e-12


def test_no_planet_touches_the_sun() -> None:
    for region in Orbit.regions():
        moving = Split(Orbit(), region, size=50).trajectories(np.arange(50))
        distance = np.linalg.norm(moving.position - 5.0, axis=-1)
        assert (distance > moving.radius + 0.4).all(), region


@pytest.mark.parametrize("swing", [0.85, 1.1])
def test_the_integrator_agrees_with_kepler(swing: float) -> None:
    start = {"distance": 3.0, "swing": swing, "direction": 0.4}
    exact, nearly = run(Orbit(), FINE[::10], **start), run(Orbit(exponent=-2.0 - 1e-15), FINE[::10], **start)
    assert 0 < np.abs(exact.position - nearly.position).max() < 1e-9
    assert np.abs(exact.velocity - nearly.velocity).max() < 1e-8


def test_a_pull_that_grows_with_distance_draws_ellipses_about_the_middle() -> None:
    time, rate = FINE[::10], math.sqrt(2.0)
    moving = run(Orbit(strength=2.0, exponent=1.0), time, distance=3.0, swing=0.5, direction=0.0)
    ellipse = np.stack([5 + 3 * np.cos(rate * time), 5 + 1.5 * np.sin(rate * time)], -1)
    assert np.abs(place(moving) - ellipse).max() < 1e-9


@pytest.mark.parametrize("exponent", [-2.9, -2.5, -1.0, 0.0, 1.0])
def test_any_pull_towards_the_sun_keeps_energy_and_areas(exponent: float) -> None:
    scene = Orbit(exponent=exponent, strength=10.0)
    for name, value in scene.invariants(run(scene, FINE[::10], distance=2.5, swing=1.0, direction=1.0)).items():
        assert np.ptp(value) / np.abs(value).max() < 1e-9, name


def test_an_unbound_comet_is_integrated() -> None:
    scene = Orbit()
    for value in scene.invariants(run(scene, FINE[::10], distance=2.5, swing=1.5, direction=0.0)).values():
        assert np.ptp(value) / np.abs(value).max() < 1e-9


def test_a_charge_runs_in_a_circle_of_the_cyclotron_radius() -> None:
    mass = np.pi * 0.8**2
    turn = 2 * np.pi * mass / 3.0
    moving = run(
        ChargedParticle(),
        np.array([0.0, turn / 4, turn / 2, turn]),
        radius=0.8,
        velocity=2.0,
        heading=0.0,
        x=5.0,
        y=5.0,
    )
    reach = mass * 2.0 / 3.0
    assert np.allclose(place(moving), [(5, 5), (5 + reach, 5 - reach), (5, 5 - 2 * reach), (5, 5)], atol=1e-12)


def game(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Set up balls of different masses on a table of 10 m x 10 m."""
    rng = np.random.default_rng(seed)
    side = math.ceil(math.sqrt(count))
    spot = 10 * (np.stack(np.meshgrid(np.arange(side), np.arange(side)), -1).reshape(-1, 2)[:count] + 0.5) / side
    radius = rng.uniform(0.15, 0.4, count)
    return spot, rng.normal(0, 2, (count, 2)), radius, np.pi * radius**2


BOX = np.array([10.0, 10.0])


def test_a_hundred_balls_keep_their_energy_through_ten_thousand_impacts() -> None:
    spot, velocity, radius, mass = game(100)
    places, speeds, impacts = play(spot, velocity, radius, mass, BOX, np.linspace(0, 40, 41))
    energy = 0.5 * (mass[:, None] * speeds**2).sum((1, 2))
    assert impacts >= 10_000
    assert np.ptp(energy) / energy[0] <= 1e-10
    gap = np.linalg.norm(places[:, :, None] - places[:, None], axis=-1) - radius[:, None] - radius
    gap[:, np.arange(100), np.arange(100)] = np.inf
    assert gap.min() > -1e-9
    assert (places - radius[:, None]).min() > -1e-9
    assert (10 - places - radius[:, None]).min() > -1e-9


def test_a_game_runs_backwards() -> None:
    spot, velocity, radius, mass = game(5)
    places, speeds, impacts = play(spot, velocity, radius, mass, BOX, np.array([0.0, 8.0]))
    back, _, _ = play(places[1], -speeds[1], radius, mass, BOX, np.array([8.0]))
    assert impacts > 10
    assert np.abs(back[0] - spot).max() < 1e-6


def test_two_billiard_balls_collide_as_the_collision_says() -> None:
    start = {"x_red": 2.0, "x_blue": 8.0, "radius_red": 0.5, "radius_blue": 0.8, "speed_red": 2.0, "speed_blue": 1.0}
    billiard = {"y_red": 5.0, "y_blue": 5.0, "heading_red": 0.0, "heading_blue": np.pi}
    asleep = {"x_green": 5.0, "y_green": 9.0, "radius_green": 0.5, "speed_green": 0.0, "heading_green": 0.0}
    table = run(Billiard(), FINE, **start, **billiard, **asleep)
    rail = run(Collision(), FINE, **start, y=5.0)
    assert np.abs(table.position[:, :, :2] - rail.position).max() < 1e-9
    assert speed(table)[-1, 0] < 0 < speed(table)[0, 0]


def test_a_hidden_ball_goes_on() -> None:
    start = {"radius": 0.7, "velocity": 2.5, "x": 1.0, "y": 5.0}
    assert np.array_equal(run(Occlusion(), FINE, **start).position, run(UniformMotion(), FINE, **start).position)


def test_no_ball_is_hidden_while_the_context_is_shown() -> None:
    scene, rng = Occlusion(), np.random.default_rng(0)
    for region in scene.regions():
        rows = np.array([scene.sample(region, rng) for _ in range(50)])
        shown = scene.simulate(rows, scene.clock()[: scene.context])
        assert (shown.position[..., 0] + shown.radius <= 3.5 + 1e-9).all()


def test_a_ball_is_shown_as_long_as_asked_before_it_is_hidden() -> None:
    scene, rng = Occlusion(shown=0.6), np.random.default_rng(0)
    rows = np.array([scene.sample("train", rng) for _ in range(200)])
    seen = scene.simulate(rows, np.array([0.0, 0.6]))
    edge = seen.position[..., 0] + seen.radius
    assert (edge <= 3.5 + 1e-9).all()
    assert edge[:, 1].max() > 3.4
    with pytest.raises(BadInputError, match="no legal placement"):
        Occlusion(shown=3.0).sample("train", rng)


def test_balls_that_look_alike_part_by_their_hidden_masses() -> None:
    meeting = {"radius": 1.0, "speed_red": 2.0, "speed_blue": 2.0, "x_red": 3.0, "x_blue": 7.0, "y": 5.0}
    light = run(HiddenMass(), FINE, **meeting, density_red=1.0, density_blue=1.0)
    heavy = run(HiddenMass(), FINE, **meeting, density_red=1.0, density_blue=3.0)
    before = FINE < 0.5
    assert np.array_equal(light.position[:, before], heavy.position[:, before])
    jump = heavy.velocity[0, -1, :, 0] - heavy.velocity[0, 0, :, 0]
    assert abs(-jump[0] / jump[1] - 3.0) < 1e-12
    assert np.abs(light.velocity[0, -1, :, 0] - [-2.0, 2.0]).max() < 1e-12


def test_hidden_masses_are_those_of_the_collision_when_densities_agree() -> None:
    meeting = {"speed_red": 2.0, "speed_blue": 1.0, "x_red": 3.0, "x_blue": 7.0, "y": 5.0}
    hidden = run(HiddenMass(), FINE, **meeting, radius=1.0, density_red=1.0, density_blue=1.0)
    assert np.array_equal(hidden.position, run(Collision(), FINE, **meeting, radius_red=1.0, radius_blue=1.0).position)


def test_runaway_balls_accelerate_by_their_speed() -> None:
    time = np.array([0.0, math.log(2) / 0.3])
    assert np.allclose(speed(run(RunawayMotion(), time, velocity=2.0))[:, 0], [2.0, 4.0], atol=1e-12)


def test_aristotles_balls_fall_by_their_weight() -> None:
    time, start = np.array([0.0, 1.0]), {"velocity": 0.0, "x": 5.0, "y": 8.0}
    small, big = (place(run(AristotleFall(), time, radius=r, **start))[:, 1] for r in (0.5, 1.0))
    assert abs((big[0] - big[1]) / (small[0] - small[1]) - 4.0) < 1e-12


def test_galileos_balls_fall_together() -> None:
    start = {"velocity": 0.0, "x": 5.0, "y": 8.0}
    assert np.array_equal(*(run(Parabola(), FINE, radius=r, **start).position for r in (0.5, 1.0)))


def test_where_gravity_points_up_balls_start_low_and_rise() -> None:
    truth = Split(Parabola(gravity=-2.5), size=20).trajectories(np.arange(20))
    assert (truth.position[:, 0, 0, 1] < 5).all()
    assert (np.diff(truth.position[:, :, 0, 1], axis=1) > 0).all()


def test_a_collision_may_make_energy_in_a_world_of_wrong_physics() -> None:
    scene = Collision(restitution=1.2)
    moving = run(scene, FINE, radius_red=1.0, radius_blue=1.0, speed_red=2.0, speed_blue=2.0, x_red=2.0, x_blue=8.0)
    assert np.ptp(scene.invariants(moving)["momentum x [kg m/s]"]) < 1e-12
    assert np.allclose(np.abs(moving.velocity[0, -1, :, 0]), 2.4)


@pytest.mark.parametrize(
    ("build", "named"),
    [
        (lambda: DragFall(drag=0.0), "drag"),
        (lambda: BouncingBall(gravity=0.0), "gravity"),
        (lambda: BouncingBall(restitution=-0.1), "restitution"),
        (lambda: Incline(slope=2.0), "slope"),
        (lambda: Incline(friction=-1.0), "friction"),
        (lambda: Spring(stiffness=0.0), "stiffness"),
        (lambda: CoupledSprings(coupling=-1.0), "coupling"),
        (lambda: Pendulum(gravity=0.0), "gravity"),
        (lambda: Orbit(strength=-1.0), "strength"),
        (lambda: ChargedParticle(turning=0.0), "turning"),
        (lambda: Occlusion(screen=11.0), "screen"),
        (lambda: Occlusion(shown=-0.1), "shown"),
        (lambda: RunawayMotion(rate=0.0), "rate"),
        (lambda: Split(ChargedParticle(), flip=0.5), "flip"),
    ],
)
def test_impossible_worlds_are_refused_by_name(build: object, named: str) -> None:
    with pytest.raises(BadInputError, match=named):
        build()  # type: ignore[operator]


def test_impossible_starts_are_refused_by_name() -> None:
    overlap = {"x_red": 5.0, "y_red": 5.0, "x_blue": 5.2, "y_blue": 5.0, "x_green": 1.0, "y_green": 1.0}
    with pytest.raises(BadInputError, match="overlap"):
        run(Billiard(), FINE, **overlap)
    with pytest.raises(BadInputError, match="wall"):
        run(Billiard(), FINE, x_red=0.1, y_red=5.0, x_blue=5.0, y_blue=2.0, x_green=7.0, y_green=7.0)
    with pytest.raises(BadInputError, match="amplitude"):
        run(Pendulum(), FINE, amplitude=3.2)
    with pytest.raises(BadInputError, match="floor"):
        run(BouncingBall(), FINE, radius=1.0, y=1.0)
    with pytest.raises(BadInputError, match="distance"):
        run(Orbit(), FINE, distance=0.0)
    with pytest.raises(BadInputError, match="overlap"):
        run(HiddenMass(), FINE, x_red=5.0, x_blue=5.5)
