"""Cloning from silent film, films of a real game, and parts of ablations that are trained once."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console

from cavendish.commands.play import learnt
from cavendish.data import Arcade, Picture, Split
from cavendish.errors import BadInputError
from cavendish.measure.playing import likened, obedience, press_all
from cavendish.models import GenieConfig
from cavendish.models.genie import DynamicsConfig, Genie, LatentActionConfig, TokenizerConfig
from cavendish.models.genie.transformer import Shape
from cavendish.scenes import Platform
from cavendish.studies import Study, genie_ale, genie_cloning, genie_platform, genie_quick
from cavendish.studies.cloning import clone, dictionary, drawing, film, played, translated
from cavendish.studies.controls import reader_of
from cavendish.studies.genie_ablations import GenieLamInput
from cavendish.studies.pretrained import pretrained
from cavendish.studies.run import learn, load, open_run
from cavendish.studies.study import Weighing
from cavendish.training import TrainingConfig, checkpoint, seeded
from cavendish.video import Clip

QUIET, SCENE = Console(quiet=True), Platform()
EXPERT = Split(SCENE, "expert", 60, 5, Picture(32, 32))
SMALL = Shape(16, 1, 2, 2)
TINY = GenieConfig(
    16,
    16,
    TokenizerConfig(levels=(3, 3), shape=SMALL),
    LatentActionConfig(codes=3, width=8, crop=8),
    DynamicsConfig(SMALL, frames=2),
)
WALK = replace(TINY, height=32, width=32)


class Named:
    """Latent actions that are the buttons under other names: code 2 a + 0 or 1, at random."""

    buttons = 8

    def infer(self, clip: Clip) -> torch.Tensor:
        """Name what was pressed."""
        assert clip.actions is not None
        pressed = clip.actions[:, :-1, 0].long()
        return 2 * pressed + torch.randint(2, pressed.shape, generator=seeded(3))


def test_the_expert_reaches_the_edge_and_random_buttons_do_not() -> None:
    starts = EXPERT.trajectories(np.arange(40))
    rng = seeded(0)
    won = played(SCENE, starts.factors, (32, 32), lambda seen: torch.randint(4, (len(seen),), generator=rng))
    assert SCENE.finished(starts)[:, -1].mean() > 0.9
    assert won.mean() < 0.2


def test_games_played_from_pixels_are_games_of_the_scene() -> None:
    starts, right = EXPERT.trajectories(np.arange(10)), np.full((10, SCENE.frames, 1), 2.0)
    walked = SCENE.finished(SCENE.simulate(starts.factors, SCENE.clock(), right))[:, -1]
    won = played(SCENE, starts.factors, (16, 16), lambda seen: torch.full((len(seen),), 2))
    assert (won == walked).all()


@pytest.mark.slow
def test_a_policy_cloned_from_codes_plays_once_its_codes_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cavendish.studies.cloning.STEPS", 120)
    shown, generator, starts = film(EXPERT, Named(), 60), seeded(1), EXPERT.trajectories(np.arange(40)).factors
    policy = drawing(clone(shown.frames, shown.codes, 8, generator), generator)
    told = dictionary(shown, 8, 4, torch.arange(200))
    assert (told.argmax(1)[told.sum(1) > 0] == torch.arange(8)[told.sum(1) > 0] // 2).all()
    named = played(SCENE, starts, (32, 32), translated(policy, told, generator))
    unnamed = played(SCENE, starts, (32, 32), translated(policy, torch.zeros(8, 4), generator))
    assert named.mean() > 0.7
    assert unnamed.mean() < 0.2


def test_clips_of_a_game_are_functions_of_seed_and_index() -> None:
    pytest.importorskip("ale_py")
    game = Arcade(episodes=2, length=12, frames=6, side=16)
    clip, again = game.clips(np.array([5, 2])), Arcade(episodes=2, length=12, frames=6, side=16).clips(np.array([2]))
    assert torch.equal(clip.frames[1:], again.frames)
    assert clip.frames.shape == (2, 6, 16, 16, 3)
    assert clip.actions is not None
    assert clip.actions.max() <= 3
    assert (clip.frames[:, 1:] != clip.frames[:, :-1]).any()
    assert not torch.equal(replace(game, seed=1).clips(np.array([2])).frames, again.frames)


def test_a_game_cannot_be_weighed_as_a_scene() -> None:
    with pytest.raises(BadInputError, match="Breakout is no scene"):
        Study("game", Arcade(), TINY, TrainingConfig())
    with pytest.raises(BadInputError, match="clips within episodes"):
        Arcade(frames=20, length=10)


def test_the_platform_is_asked_where_every_button_leads_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(genie_platform, "TRIALS", 6)
    split = Split(SCENE, size=60, seed=5, picture=Picture(32, 32))
    starts, truth = genie_platform._apart(split, SCENE)
    assert len(starts.frames) == 6
    assert (likened(truth.moved, truth).outcome == np.arange(4)[:, None]).all()
    obeyed = {score.name: score.value for score in obedience(likened(truth.moved[[3, 2, 1, 0]], truth), SCENE.controls)}
    assert obeyed["pad 0: jump"] == obeyed["pad 1: right"] == obeyed["pad 2: left"] == obeyed["pad 3: none"] == 1.0
    assert obeyed["controllability"] == pytest.approx(2.0)


@pytest.mark.slow
def test_the_platform_that_comes_with_the_package_has_a_pad_for_every_button(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(genie_platform, "TRIALS", 12)
    split = Split(SCENE, size=120, seed=8, picture=Picture(64, 64))
    starts, truth = genie_platform._apart(split, SCENE)
    world = load(pretrained("platform"))
    assert isinstance(world, Genie)
    found = press_all(world, starts, truth, reader_of(split), genie_quick.HOLD, seeded(0))
    for button in range(len(SCENE.controls)):
        assert (found.outcome == button).mean(1).max() > 0.7


@pytest.mark.slow
def test_every_question_about_the_platform_gets_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in ((genie_quick, "CLIPS"), (genie_platform, "TRIALS"), (genie_platform, "LONG")):
        monkeypatch.setattr(module, name, 4)
    walk = replace(genie_platform.STUDY, data=Split(SCENE, size=100, picture=Picture(32, 32)), model=WALK)
    scores = {score.name: score for score in genie_platform.GeniePlatform().ask(walk, WALK.build(seeded(0)))}
    assert scores["outcomes that some pad reaches"].value == 1.0  # an untrained world does the same whatever is pressed
    assert {"purity", "delta-4 PSNR", "ball found after 4 presses"} <= scores.keys()


@pytest.mark.slow
def test_every_question_about_a_game_and_about_cloning_gets_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ale_py")
    monkeypatch.setattr("cavendish.studies.cloning.STEPS", 2)
    for module, name, value in ((genie_ale, "CLIPS", 8), (genie_cloning, "EXPERT", 3), (genie_cloning, "GAMES", 2)):
        monkeypatch.setattr(module, name, value)
    game = replace(genie_ale.STUDY, data=Arcade(episodes=2, length=12, frames=10, side=16), model=TINY)
    names = {score.name for score in genie_ale.GenieAle().ask(game, TINY.build(seeded(0)))}
    assert {"purity", "NMI", "PSNR after 4 frames", "PSNR after 4 frames, last frame kept"} <= names
    walk = replace(genie_cloning.STUDY, data=Split(SCENE, size=100, picture=Picture(16, 16)), model=TINY)
    scores = {score.name: score for score in genie_cloning.GenieCloning().ask(walk, TINY.build(seeded(0)))}
    assert scores["success, the expert itself"].value > 0.8
    assert scores["success, latent cloning, 200 labelled moves"].n == 10
    assert scores["success, random buttons"].high < 0.6


@pytest.mark.slow
def test_a_borrowed_part_equals_one_trained_at_home(tmp_path: Path) -> None:
    data = Split(SCENE, size=100, picture=Picture(16, 16))
    base = Study("lent", data, TINY, TrainingConfig(steps=4, batch=2), Weighing(("train",)))
    other = replace(base, model=replace(TINY, dynamics=replace(TINY.dynamics, injection="additive")))
    with open_run(base, tmp_path) as (folder, stop):
        learn(base, folder, stop, QUIET)
    with open_run(other, tmp_path) as (folder, stop):
        GenieLamInput().prepare(other, folder)
        assert checkpoint.steps(folder / "checkpoints" / "actions")
        assert not (folder / "checkpoints" / "dynamics").exists()
        borrowed = learn(other, folder, stop, QUIET).state_dict()
    with open_run(other, tmp_path / "alone") as (folder, stop):
        alone = learn(other, folder, stop, QUIET).state_dict()
    assert all(torch.equal(borrowed[name], alone[name]) for name in alone)


@pytest.mark.slow
def test_a_learnt_game_is_played_without_a_law_beside_it(tmp_path: Path) -> None:
    pytest.importorskip("ale_py")
    game = Arcade(episodes=2, length=12, frames=6, side=16)
    study = Study("game", game, TINY, TrainingConfig(steps=2, batch=2), Weighing(()))
    with open_run(study, tmp_path) as (folder, stop):
        learn(study, folder, stop, QUIET)
    stage = learnt(folder, 0)
    place = stage.world.press(stage.world.enter(stage.beginnings(7).frames), 2, 0.0, seeded(0))
    assert place.frame.shape == (16, 16, 3)
    assert stage.truth is None
    assert stage.reader is None
