"""Worlds that answer to buttons: what is pushed moves, exactly, and an environment is the same world step by step."""

import importlib
import sys
from itertools import pairwise
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from cavendish.cli import call
from cavendish.data import Picture, Split
from cavendish.data.environment import Environment
from cavendish.data.states import read_states, write_states
from cavendish.errors import BadInputError
from cavendish.motion import Trajectory
from cavendish.readout import Reader
from cavendish.scenes import SCENES, Platform, Playable, Pushable, PushablePair, UniformMotion
from cavendish.scenes.incline import HALF_SIDE
from cavendish.scenes.platform import COLUMNS, WAY

GAMES = [kind for kind in SCENES if issubclass(kind, Playable)]
NONE, LEFT, RIGHT, JUMP = range(4)


@pytest.fixture(params=GAMES, ids=lambda kind: kind.name())
def game(request: pytest.FixtureRequest) -> Playable:
    """Every playable scene in turn."""
    return request.param()


def played(game: Playable, region: str = "train", count: int = 40) -> tuple[Trajectory, np.ndarray]:
    """Play a few clips with the buttons of a split."""
    split = Split(game, region, picture=Picture(8, 8))
    clip = split.clips(np.arange(count))
    assert clip.trajectory is not None
    assert clip.actions is not None
    return clip.trajectory, clip.actions.numpy()


def pressing(button: int, frames: int = 64) -> np.ndarray:
    """Hold one button."""
    return np.full((1, frames, 1), float(button))


def test_stepping_an_environment_is_simulating_the_clip(game: Playable) -> None:
    moving, actions = played(game, count=5)
    for clip in range(5):
        environment = Environment(game, picture=Picture(32, 32))
        frame, _ = environment.reset(options={"factors": moving.factors[clip]})
        film, places = [frame], [environment.state.position[0, 0]]
        for action in actions[clip, :-1, 0]:
            frame, _, _, _, _ = environment.step(int(action))
            film.append(frame)
            places.append(environment.state.position[0, 0])
        assert np.array_equal(places, moving.position[clip])
        split = Split(game, picture=Picture(32, 32))
        assert np.array_equal(film, split[clip].frames.numpy())


def test_gymnasium_accepts_the_environment(game: Playable) -> None:
    environment = Environment(game, picture=Picture(24, 24))
    check_env(environment, skip_render_check=True)  # other render modes need a registered name
    assert environment.observation_space.contains(environment.render())


def test_the_same_seed_begins_the_same_episode(game: Playable) -> None:
    environment = Environment(game)
    first, again, other = (environment.reset(seed=seed)[0] for seed in (5, 5, 6))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_rewards_add_up_to_the_progress_and_an_episode_is_cut_at_its_last_frame(game: Playable) -> None:
    environment = Environment(game, picture=Picture(8, 8))
    environment.reset(seed=1)
    before, total, cut, steps = game.progress(environment.state)[0, 0], 0.0, False, 0
    while not cut:
        _, reward, _, cut, _ = environment.step(steps % len(game.controls))
        total, steps = total + reward, steps + 1
    assert steps == game.frames - 1
    assert total == pytest.approx(game.progress(environment.state)[0, 0] - before, abs=1e-12)
    with pytest.raises(BadInputError, match="reset"):
        environment.step(0)


def test_any_moment_can_be_the_beginning(game: Playable) -> None:
    whole, actions = played(game, count=10)
    head = game.simulate(whole.factors, whole.time[:21], actions[:, :21])
    tail = game.simulate(game.resume(head), whole.time[20:], actions[:, 20:])
    assert np.array_equal(tail.position, whole.position[:, 20:])
    assert np.array_equal(tail.velocity[:, 1:], whole.velocity[:, 21:])


def test_buttons_are_drawn_evenly_and_anew_for_every_frame(game: Playable) -> None:
    _, actions = played(game)
    share = np.bincount(actions.astype(int).ravel(), minlength=len(game.controls)) / actions.size
    assert np.abs(share * len(game.controls) - 1).max() < 0.2
    repeated = (actions[:, 1:] == actions[:, :-1]).mean()
    assert repeated == pytest.approx(1 / len(game.controls), abs=0.03)


def test_what_a_button_does_shows_in_the_next_frame(game: Playable) -> None:
    moving, actions = played(game)
    step = np.abs(np.diff(moving.position, axis=1)).max((2, 3)) / (10 / 64)  # px at 64 px
    pressed = actions[:, :-1, 0] != NONE
    assert np.median(step[pressed]) > 1.5
    assert (step[pressed] > 1).mean() > 0.7  # the others push against a wall, or jump in the air


def test_a_push_is_momentum() -> None:
    game = Pushable(drag=1e-6)
    row = np.array([[0.8, 5.0, 5.0, 0.5, -0.25]])
    actions = pressing(NONE, 3)
    actions[0, 0] = RIGHT
    moving = game.simulate(row, np.array([0.0, 0.1, 0.2]), actions)
    momentum = np.pi * 0.8**2 * (moving.velocity[0, 1, 0] - moving.velocity[0, 0, 0])
    assert np.allclose(momentum, [game.impulse, 0.0], atol=1e-4)


def test_drag_stops_a_ball_after_v_over_k() -> None:
    game = Pushable(drag=4.0)
    row, time = np.array([[0.5, 2.0, 5.0, 6.0, 1.0]]), np.linspace(0, 3, 31)
    moving = game.simulate(row, time)
    gone = (1 - np.exp(-4.0 * time)) / 4.0
    assert np.abs(moving.position[0, :, 0] - ([2.0, 5.0] + gone[:, None] * [6.0, 1.0])).max() < 1e-12
    assert np.abs(moving.velocity[0, :, 0] - np.exp(-4.0 * time)[:, None] * [6.0, 1.0]).max() < 1e-12


def test_pushed_balls_stay_apart_and_on_the_table() -> None:
    moving, _ = played(PushablePair(), "ood-radius", 60)
    apart = np.linalg.norm(moving.position[..., 0, :] - moving.position[..., 1, :], axis=-1) - moving.radius.sum(-1)
    room = np.minimum(moving.position, 10 - moving.position).min(-1) - moving.radius
    assert apart.min() > -1e-9
    assert room.min() > -1e-9
    blue_pushed_by_red = np.abs(np.diff(moving.position[:, :, 1], axis=1)).max()
    assert blue_pushed_by_red > 0.1


def test_an_impact_between_pushed_balls_keeps_momentum() -> None:
    game = PushablePair(drag=1e-9)
    row = np.array([[0.5, 3.0, 5.0, 4.0, 0.0, 1.0, 6.0, 5.3, 0.0, 0.0]])
    moving = game.simulate(row, np.linspace(0, 0.8, 9))
    momentum = (np.pi * moving.radius[..., None] ** 2 * moving.velocity).sum(2)
    energy = (np.pi * moving.radius**2 * (moving.velocity**2).sum(-1)).sum(-1)
    assert np.abs(moving.velocity[0, -1, 1]).max() > 0.5
    assert np.ptp(momentum, axis=1).max() < 1e-6
    assert np.ptp(energy, axis=1).max() < 1e-6


def terrain(game: Platform, clip: int, moving: Trajectory) -> np.ndarray:
    """Return the height of the ground under the agent by looking at every column."""
    x, half = moving.position[clip, :, 0, 0], HALF_SIDE * moving.radius[clip, :, 0]
    left = np.arange(COLUMNS) * 10 / COLUMNS
    under = (left < (x + half)[:, None] - 1e-9) & (left + 10 / COLUMNS > (x - half)[:, None] + 1e-9)
    return np.where(under, moving.factors[clip, -COLUMNS:], -np.inf).max(1)


@pytest.mark.parametrize("region", ["train", "expert", "ood-both"])
def test_an_agent_never_sinks_into_the_ground_and_never_leaves_the_world(region: str) -> None:
    game = Platform()
    moving, _ = played(game, region, 20)
    for clip in range(len(moving.position)):
        feet = moving.position[clip, :, 0, 1] - HALF_SIDE * moving.radius[clip, :, 0]
        assert (feet - terrain(game, clip, moving)).min() > -1e-8
    room = np.minimum(moving.position[..., 0], 10 - moving.position[..., 0]) - HALF_SIDE * moving.radius
    assert room.min() > -1e-8


def test_walking_agrees_with_tiny_steps() -> None:
    """The exact path against a plain integrator with steps of 0.05 ms."""
    game = Platform()
    moving, actions = played(game, "ood-both", 4)
    fine = 2000
    for clip in range(4):
        x, y = moving.position[clip, 0, 0]
        v, half, heights = 0.0, HALF_SIDE * moving.radius[clip, 0, 0], moving.factors[clip, -COLUMNS:]
        width, h = 10 / COLUMNS, game.step / fine
        worst = 0.0
        for k in range(30):
            button = int(actions[clip, k, 0])
            columns = heights[max(0, int((x - half + 1e-9) / width)) : int(np.ceil((x + half - 1e-9) / width))]
            if button == JUMP and v <= 0 and y - half <= columns.max() + 1e-4:
                v = game.leap
            for _ in range(fine):
                new = min(max(x + WAY[button] * game.speed * h, half), 10 - half)
                first, last = int((new - half + 1e-9) / width), int(np.ceil((new + half - 1e-9) / width))
                if heights[max(0, first) : last].max() <= y - half + 1e-4:
                    x = new
                first, last = int((x - half + 1e-9) / width), int(np.ceil((x + half - 1e-9) / width))
                ground = heights[max(0, first) : last].max()
                y, v = y + v * h - 0.5 * game.gravity * h * h, v - game.gravity * h
                if y - half <= ground and v <= 0:
                    y, v = ground + half, 0.0
            worst = max(worst, float(np.abs(moving.position[clip, k + 1, 0] - [x, y]).max()))
        assert worst < 0.01


def test_a_jump_rises_w_squared_over_2g() -> None:
    game, time = Platform(), np.linspace(0, 0.8, 801)
    row = np.array([[0.4, 0.5, 5.0, 2.0 + 0.4 * HALF_SIDE, 0.0, *[2.0] * COLUMNS]])
    actions = pressing(NONE, 801)
    actions[0, 0] = JUMP
    height = game.simulate(row, time, actions).position[0, :, 0, 1]
    assert height.max() - height[0] == pytest.approx(game.leap**2 / (2 * game.gravity), abs=1e-5)


def test_a_step_stops_a_walk_and_a_jump_climbs_it() -> None:
    game = Platform()
    half = 0.4 * HALF_SIDE
    row = np.array([[0.4, 0.5, 1.25 - half - 0.05, 1.0 + half, 0.0, 1.0, *[2.0] * (COLUMNS - 1)]])
    walked = game.simulate(row, game.clock(), pressing(RIGHT)).position[0, -1, 0]
    assert walked == pytest.approx([1.25 - half, 1.0 + half], abs=1e-9)
    actions = pressing(RIGHT)
    actions[0, 2] = JUMP
    assert game.simulate(row, game.clock(), actions).position[0, -1, 0] == pytest.approx([10 - half, 2.0 + half])


def test_the_expert_reaches_the_goal_and_chance_does_not() -> None:
    game = Platform()
    expert, chance = (game.finished(played(game, region, 30)[0]).any(1).mean() for region in ("expert", "train"))
    assert expert > 0.9
    assert chance < 0.3


def test_an_environment_says_when_the_goal_is_reached() -> None:
    game = Platform()
    environment = Environment(game, picture=Picture(8, 8))
    half = 0.4 * HALF_SIDE
    environment.reset(options={"factors": [0.4, 0.5, 9.0, 1.0 + half, 0.0, *[1.0] * COLUMNS]})
    over = [environment.step(RIGHT)[2] for _ in range(4)]
    assert over == [False, True, True, True]


def test_the_reader_sees_every_push() -> None:
    clip = Split(Pushable(), picture=Picture(64, 64)).clips(np.arange(20))
    assert clip.trajectory is not None
    drawing = Pushable().draw(clip.trajectory)
    found = Reader.of(drawing).read(clip.frames.numpy(), clip.trajectory.time)
    assert np.sqrt(((found.position - clip.trajectory.position) ** 2).mean()) / (10 / 64) < 0.03


def test_actions_are_kept_beside_the_clip_and_in_its_states(tmp_path: Path) -> None:
    clip = Split(Platform(), picture=Picture(16, 16))[3]
    assert clip.actions is not None
    assert clip.actions.shape == (64, 1)
    assert clip.first(4).actions is None
    assert Split(UniformMotion(), picture=Picture(16, 16))[3].actions is None
    batch = Split(Platform(), picture=Picture(16, 16)).clips(np.arange(2))
    assert batch.actions is not None
    assert batch.trajectory is not None
    write_states(tmp_path / "states.npz", batch.trajectory, Platform(), batch.actions.numpy())
    with np.load(tmp_path / "states.npz") as stored:
        assert np.array_equal(stored["actions"], batch.actions)
        assert tuple(stored["action_names"]) == Platform.controls
    assert np.array_equal(read_states(tmp_path / "states.npz").position, batch.trajectory.position)


def test_rendered_films_carry_their_buttons(tmp_path: Path) -> None:
    assert (
        call(["render", "pushable", "--count", "2", "--size", "16", "--format", "gif", "--out", str(tmp_path / "f")])
        == 0
    )
    with np.load(tmp_path / "f" / "states.npz") as stored:
        assert stored["actions"].shape == (2, 64, 1)


def test_without_gymnasium_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    monkeypatch.delitem(sys.modules, "cavendish.data.environment")
    with pytest.raises(BadInputError, match=r"cavendish\[gym\]"):
        importlib.import_module("cavendish.data.environment")


def test_impossible_actions_are_refused(game: Playable) -> None:
    rows = np.array([game.sample("train", np.random.default_rng(0))])
    for wrong in (pressing(len(game.controls)), pressing(-1), pressing(1) + 0.5, pressing(1) * np.nan):
        with pytest.raises(BadInputError, match="no button"):
            game.simulate(rows, game.clock(), wrong)
    with pytest.raises(BadInputError, match="shape"):
        game.buttons(pressing(1, 5), 1, game.clock())
    with pytest.raises(BadInputError, match="did you mean 'train'"):
        Environment(game, "trian")
    with pytest.raises(BadInputError, match="factors"):
        Environment(game).reset(options={"factor": rows[0]})
    environment = Environment(game)
    environment.reset(seed=0)
    with pytest.raises(BadInputError, match="no button"):
        environment.step(99)


def test_an_agent_inside_the_ground_is_refused() -> None:
    row = np.array([[0.4, 0.5, 5.0, 1.0, 0.0, *[2.0] * COLUMNS]])
    with pytest.raises(BadInputError, match="inside the ground"):
        Platform().simulate(row, Platform.clock())
    row[0, 2] = 0.1
    with pytest.raises(BadInputError, match="edge"):
        Platform().simulate(row, Platform.clock())


def test_environments_of_all_kinds_share_one_interface(game: Playable) -> None:
    environment = Environment(game)
    assert isinstance(environment, gymnasium.Env)
    assert environment.action_space.n == len(game.controls)
    assert all(a != b for a, b in pairwise(sorted(game.controls)))
