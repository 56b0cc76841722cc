"""A playable world is learnt from silent video: its parts keep their promises, and so does whoever weighs it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from cavendish.data import Picture, Split
from cavendish.errors import BadInputError, CorruptDataError
from cavendish.measure.playing import (
    OUTCOMES,
    Pressed,
    alignment,
    information,
    likened,
    nmi,
    obedience,
    press_all,
    psnr,
    start_images,
    true_presses,
)
from cavendish.models import DiffusionConfig
from cavendish.models.genie import DynamicsConfig, Genie, GenieConfig, LatentActionConfig, TokenizerConfig
from cavendish.models.genie.actions import purity
from cavendish.models.genie.quantise import Codebook, Levels, perplexity
from cavendish.models.genie.transformer import Shape
from cavendish.readout import Reader
from cavendish.scenes import Pushable
from cavendish.studies import STUDIES, genie_quick, read_study
from cavendish.studies.experiments import EXPERIMENTS
from cavendish.studies.genie_ablations import GenieAblation
from cavendish.training import Run, TrainingConfig, load_trained, seeded, train
from cavendish.training.optimiser import Optimiser, rate_share
from cavendish.training.signals import StopRequest
from cavendish.video import Clip, Imagined

SMALL = Shape(32, 2, 2, 3)
CONFIG = GenieConfig(
    32,
    32,
    TokenizerConfig(levels=(5, 5, 5), shape=SMALL),
    LatentActionConfig(codes=5, width=8, crop=16),
    DynamicsConfig(SMALL, frames=3),
)
SPLIT = Split(Pushable(), picture=Picture(32, 32))
VARIANTS = {
    "space": replace(CONFIG, tokenizer=replace(CONFIG.tokenizer, kind="space")),
    "drawn": replace(CONFIG, tokenizer=replace(CONFIG.tokenizer, kind="drawn")),
    "space-time": replace(CONFIG, tokenizer=replace(CONFIG.tokenizer, kind="space-time")),
    "full": replace(CONFIG, tokenizer=replace(CONFIG.tokenizer, kind="full")),
    "codebook": replace(CONFIG, tokenizer=replace(CONFIG.tokenizer, levels=(64,))),
    "symbols": replace(CONFIG, actions=replace(CONFIG.actions, sees="symbols")),
    "history": replace(CONFIG, actions=replace(CONFIG.actions, known=2)),
    "additive": replace(CONFIG, dynamics=replace(CONFIG.dynamics, injection="additive")),
    "two steps": replace(CONFIG, dynamics=replace(CONFIG.dynamics, steps=2)),
    "alone": replace(CONFIG, dynamics=replace(CONFIG.dynamics, shape=replace(SMALL, window=1))),
    "taken back": replace(CONFIG, dynamics=replace(CONFIG.dynamics, taken_back=1.0)),
}


def shaken(config: GenieConfig = CONFIG) -> Genie:
    """Build a model whose parameters are not at their neutral start."""
    made, generator = config.build(seeded(0)), seeded(1)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.3)
    return made.eval()


def films(count: int, frames: int = 8) -> Clip:
    """Film the pushable world."""
    clip = SPLIT.clips(np.arange(count))
    assert clip.actions is not None
    return Clip(clip.frames[:, :frames], clip.time[:frames], clip.world, clip.trajectory, clip.actions[:, :frames])


@pytest.mark.parametrize("kind", ["plain", *VARIANTS])
def test_a_game_played_press_by_press_equals_the_game_computed_as_a_whole(kind: str) -> None:
    world = shaken(VARIANTS.get(kind, CONFIG))
    begun = films(1, 4).frames
    symbols, told = world.dynamics.told_by_neighbours(begun)
    place, shown = world.enter(begun[0]), begun[:, -1]
    for number, button in enumerate([3, 0, 4, 1, 1, 2]):
        past = [part.of(slice(-1, None)) for part in world.dynamics.past(symbols, told)]
        pad = torch.tensor([[button]])
        whole = world.dynamics.uncover(symbols[:, -1:], pad, past, 0.0, seeded(number))
        place = world.press(place, button, 0.0, seeded(number))
        assert torch.equal(whole, place.memory.symbols[:, -1:])
        changed = (whole != symbols[:, -1:])[:, 0]
        symbols, told = torch.cat([symbols, whole], 1), torch.cat([told, pad], 1)
        shown = world.tokenizer.repaint(symbols, changed, shown)
    assert torch.equal(shown[0], place.frame)
    assert len(symbols.unique(dim=1)[0]) > 1


def test_a_patch_whose_symbol_stays_keeps_its_pixels() -> None:
    world, clip = shaken(), films(2, 2)
    changed = torch.arange(16).expand(2, -1) == 5  # the second patch of the second row
    symbols = world.tokenizer.encode(clip.frames)
    made = world.tokenizer.repaint(symbols, changed, clip.frames[:, 0])
    assert torch.equal(made[:, 8:16, 8:16], world.tokenizer.decode(symbols)[:, -1, 8:16, 8:16])
    made[:, 8:16, 8:16] = clip.frames[:, 0, 8:16, 8:16]
    assert torch.equal(made, clip.frames[:, 0])


@pytest.mark.parametrize("kind", ["plain", "taken back"])
def test_play_and_training_guess_by_the_same_forward_pass(kind: str) -> None:
    world, clip = shaken(VARIANTS.get(kind, CONFIG)), films(2, 5)
    guessed, symbols = world.guess(clip)
    told = world.infer(clip)
    for k in range(1, 5):
        past = [part.of(slice(-1, None)) for part in world.dynamics.past(symbols[:, :k], told[:, : k - 1])]
        alone = world.dynamics.uncover(symbols[:, k - 1 : k], told[:, k - 1 : k], past, 0.0, seeded(0))
        assert torch.equal(alone[:, 0], guessed[:, k - 1])


def test_a_change_that_weighs_more_in_the_loss_is_not_believed_likelier_at_play() -> None:
    true, before = torch.tensor([0.9, 0.08, 0.02]), torch.tensor(0)  # the first symbol stays as it was
    dynamics = replace(CONFIG.dynamics, moving=50.0, taken_back=1.0)
    weight = torch.tensor([1.0, dynamics.moving, dynamics.moving])
    scores = torch.zeros(3, requires_grad=True)
    learner = torch.optim.LBFGS([scores], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        learner.zero_grad()
        found = -(true * weight * scores.log_softmax(-1)).sum()
        found.backward()  # type: ignore[no-untyped-call]
        return found

    learner.step(loss)  # type: ignore[no-untyped-call]
    assert int(scores.argmax()) == 1  # what the loss alone would play
    believed = shaken(replace(CONFIG, dynamics=dynamics)).dynamics.chances(scores.detach(), before)
    assert torch.allclose(believed.softmax(-1), true, atol=1e-3)


@pytest.mark.parametrize("kind", list(VARIANTS))
def test_every_variant_learns(kind: str) -> None:
    made, clip = VARIANTS[kind].build(seeded(0)), films(2)
    optimiser, losses = Optimiser(made, "muon", 3e-3), []
    for step in range(8):
        loss, figures = made.loss(clip, seeded(0))
        loss.backward()
        optimiser.step(rate_share(step, 8, 0.1, 0.5))
        losses.append(loss.item())
    assert losses[-1] < 0.95 * losses[0]
    assert {"actions/purity", "dynamics/accuracy", "tokenizer/token_change_over_true_change"} <= set(figures)


def test_going_back_is_taking_an_earlier_place() -> None:
    world, generator = shaken(), seeded(0)
    start = world.enter(films(1, 1).frames[0])
    once = world.press(world.press(start, 1, 0.0, generator), 2, 0.0, generator)
    again = world.press(world.press(start, 1, 0.0, generator), 2, 0.0, generator)
    assert torch.equal(once.frame, again.frame)
    assert once.frame.shape == (*world.size, 3)


def test_learning_never_looks_at_the_true_buttons() -> None:
    clip, gradients = films(4), []
    assert clip.actions is not None
    for actions in (clip.actions, clip.actions.flip(0), None):
        made = CONFIG.build(seeded(0))
        made.loss(replace(clip, actions=actions), seeded(0))[0].backward()
        gradients.append([p.grad.clone() for p in made.parameters() if p.grad is not None])
    for other in gradients[1:]:
        assert all(torch.equal(a, b) for a, b in zip(gradients[0], other, strict=True))


def test_no_part_is_trained_by_the_loss_of_another() -> None:
    made, clip = shaken(), films(2)
    for stage in made.stages():
        made.zero_grad()
        stage.module.loss(clip, seeded(0))[0].backward()
        touched = {name.split(".")[0] for name, p in made.named_parameters() if p.grad is not None and p.grad.any()}
        assert touched == {stage.name}


def test_three_stages_are_trained_each_at_its_pace_and_loaded_again(tmp_path: Path) -> None:
    run = Run(tmp_path, SPLIT, TrainingConfig(steps=10, batch=2), 0, StopRequest(), (seen := []).append)
    train(made := CONFIG.build(seeded(0)), run)
    assert [(record["stage"], record["steps"]) for record in seen] == [
        ("tokenizer", 5),
        ("actions", 4),
        ("dynamics", 10),
    ]
    load_trained(loaded := CONFIG.build(seeded(5)), tmp_path)
    assert torch.equal(made.infer(films(1)), loaded.infer(films(1)))
    with pytest.raises(CorruptDataError, match=r"does not belong|is missing"):
        load_trained(VARIANTS["codebook"].build(seeded(0)), tmp_path)


@pytest.mark.slow
def test_learns_one_clip_by_heart_and_plays_it_again_with_its_own_actions() -> None:
    made, one, steps = CONFIG.build(seeded(0)), films(1, 6), {"tokenizer": 500, "actions": 150, "dynamics": 100}
    for stage in made.stages():
        optimiser, count = Optimiser(stage.module, "muon", 4e-3), steps[stage.name]
        for step in range(count):
            loss, _ = stage.module.loss(one, seeded(0, step))
            loss.backward()
            optimiser.step(rate_share(step, count, 0.02, 0.5))
    played = made.follow(one.first(1), made.infer(one), seeded(0)).frames
    assert played is not None
    true = one.frames[0, 1:]
    again, kept = (psnr(frames, true).mean() for frames in (played[0, 1:], one.frames[0, :1].expand_as(true)))
    assert again > kept + 2
    strange = replace(one, frames=one.frames.clone())
    strange.frames[:, 4] = one.frames[:, 4].flip(2)
    expected, surprised = (made.surprise(clip, seeded(0))[0, 4] for clip in (one, strange))
    assert surprised > 2 * expected


def test_levels_are_numbered_without_gaps_and_pass_gradients() -> None:
    grid = Levels((3, 4))
    values, symbols = grid(20 * torch.randn(500, 2, generator=seeded(0)))
    assert set(symbols.tolist()) <= set(range(12))
    assert torch.allclose(values, grid.values[symbols])
    assert len(grid.values.unique(dim=0)) == 12
    z = torch.randn(5, 2, generator=seeded(1), requires_grad=True)
    grid(z)[0].sum().backward()
    assert z.grad is not None
    assert (z.grad != 0).all()


def test_a_collapsed_codebook_comes_to_life_again() -> None:
    with torch.random.fork_rng():
        torch.random.set_rng_state(seeded(0).get_state())
        book = Codebook(8, 4)
    book.values.copy_(book.values[:1] + 1e-3 * book.values)
    centres = torch.nn.functional.normalize(torch.randn(8, 4, generator=seeded(3)), dim=-1)
    used = []
    for step in range(120):
        z = centres[torch.randint(8, (64,), generator=seeded(step))]
        symbols = book(z)[1]
        book.learn(z, symbols, seeded(step))
        used.append(perplexity(symbols, 8)[0])
    assert used[0] <= 4
    assert used[-1] >= 7


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"height": 20}, "height = 20 px"),
        ({"actions": LatentActionConfig(codes=1)}, "1 latent actions"),
        ({"actions": LatentActionConfig(known=0)}, "known = 0 frames"),
        ({"dynamics": DynamicsConfig(Shape(30, 1, 4, 2))}, "divisible by heads"),
        ({"dynamics": DynamicsConfig(SMALL, steps=0)}, "at least 1 step"),
        ({"dynamics": DynamicsConfig(SMALL, moving=0.0)}, "dynamics.moving makes a weight of 0"),
        ({"actions": LatentActionConfig(moving=-1.0)}, "actions.moving makes a weight of 0"),
        ({"tokenizer": TokenizerConfig(levels=(5, 5), moving=float("nan"))}, "tokenizer.moving makes a weight of nan"),
    ],
)
def test_a_world_that_cannot_be_is_refused(change: dict[str, object], named: str) -> None:
    with pytest.raises(BadInputError, match=named):
        replace(CONFIG, **change)


def test_wrong_pads_and_foreign_frames_are_refused() -> None:
    world = shaken()
    place = world.enter(films(1, 1).frames[0])
    with pytest.raises(BadInputError, match="latent action 5, expected 0 to 4"):
        world.press(place, 5, 0.0, seeded(0))
    with pytest.raises(BadInputError, match="latent action -1"):
        world.follow(films(1), torch.tensor([[-1]]), seeded(0))
    with pytest.raises(BadInputError, match="height = 16 px, this world was made with 32 px"):
        world.enter(torch.zeros(1, 16, 32, 3, dtype=torch.uint8))
    with pytest.raises(BadInputError, match="expected uint8"):
        world.enter(torch.zeros(0, 32, 32, 3, dtype=torch.uint8))


class Truth:
    """The true world behind the questions that a learnt one is asked; its codes are the buttons, reversed."""

    buttons = 5

    def infer(self, clip: Clip) -> torch.Tensor:
        """Tell the buttons, in another order."""
        assert clip.actions is not None
        return 4 - clip.actions[:, :-1, 0].long()

    def follow(self, context: Clip, actions: torch.Tensor, generator: torch.Generator) -> Imagined:
        """Simulate."""
        scene, count = Pushable(), actions.shape[1]
        pressed = np.concatenate([4.0 - actions.numpy(), np.zeros((len(actions), 1))], 1)[..., None]
        moving = scene.simulate(self.factors, scene.clock()[: count + 1], pressed)
        from cavendish.render import render

        frames = torch.from_numpy(render(scene.draw(moving), 32, 32))
        return Imagined(frames, None, torch.from_numpy(moving.time), scene.world, 1)

    def guess(self, clip: Clip) -> tuple[torch.Tensor, torch.Tensor]:
        """Know nothing of symbols."""
        return torch.zeros(1), torch.zeros(1)


def test_the_true_world_obeys_every_pad_and_its_masses() -> None:
    starts, world = start_images(Split(Pushable(), size=2000, seed=3, picture=Picture(32, 32)), 20, 1), Truth()
    assert starts.trajectory is not None
    world.factors = starts.trajectory.factors
    reader = Reader.of(Pushable().draw(starts.trajectory))
    true = true_presses(Pushable(), starts.trajectory, 1)
    found = press_all(world, starts, true, reader, 1, seeded(0))
    scores = {score.name: score.value for score in obedience(found)}
    assert scores["least consistent pad"] == 1.0
    assert scores["outcomes that some pad reaches"] == 5.0
    assert abs(scores["controllability"] - np.log2(5)) < 1e-6
    assert abs(scores["exponent of mass"] + 1) < 0.05
    assert np.abs(true.moved[::-1] - found.moved).max() < 0.02


def test_a_world_that_ignores_its_pads_is_found_out() -> None:
    rng, ways = np.random.default_rng(0), np.array([[0.0, 0.0], [-1.0, 0.0], [1.0, 0.0], [0.0, -1.0], [0.0, 1.0]])
    mass = rng.uniform(1, 3, 200)
    truth = Pressed(ways[:, None] / mass[:, None], mass, np.arange(5)[:, None] + np.zeros((1, 200), int))
    same = rng.normal(0, 1, (1, 200, 2)) + np.zeros((5, 1, 1))
    scores = {score.name: score.value for score in obedience(likened(same, truth))}
    assert scores["controllability"] < 1e-9
    assert scores["least consistent pad"] < 0.5
    assert (likened(np.full((5, 200, 2), np.nan), truth).outcome == -1).all()
    nudged = likened(truth.moved + np.array([0.1, 0.0]), truth)
    assert (nudged.outcome == np.arange(len(OUTCOMES))[:, None]).all()  # less than half of the weakest push
    assert (likened(truth.moved[1:] / 3, truth).outcome == 0).all()


def test_alignment_is_perfect_for_renamed_buttons_and_at_chance_for_shuffled_ones() -> None:
    scores = {score.name: score.value for score in alignment(Truth(), films(8, 32))}
    assert scores["purity"] == 1.0
    assert scores["NMI"] == pytest.approx(1.0)
    assert scores["purity, shuffled codes"] < 0.5
    assert scores["NMI, shuffled codes"] < 0.1
    assert scores["codes in use"] == 5.0
    with pytest.raises(BadInputError, match="which buttons were pressed"):
        alignment(Truth(), films(1).first(4))


def test_an_ablation_varies_one_choice_and_its_seeds() -> None:
    for experiment in EXPERIMENTS:
        if not isinstance(experiment, GenieAblation):
            continue
        for cells in experiment.presets().values():
            assert len({cell.study.hash() for cell in cells}) == len(cells)
            assert all(cell.study.data == cells[0].study.data for cell in cells)
            for row in {cell.row for cell in cells}:
                seeds = [replace(cell.study, seed=0).hash() for cell in cells if cell.row == row]
                assert len(seeds) == 3
                assert len(set(seeds)) == 1


@pytest.mark.slow
def test_every_question_about_a_played_world_gets_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"CLIPS": 4, "TRIALS": 6, "LONG": 4}.items():
        monkeypatch.setattr(genie_quick, name, value)
    study = replace(STUDIES["genie-quick"], model=CONFIG, data=SPLIT)
    names = {score.name: score for score in genie_quick.ask(study, CONFIG.build(seeded(0)))}
    assert {"purity", "NMI", "delta-4 PSNR", "token accuracy, changed tokens", "least consistent pad"} <= set(names)
    assert names["outcomes that some pad reaches"].value == 1.0  # an untrained world does the same whatever is pressed
    with pytest.raises(BadInputError, match="no latent actions"):
        genie_quick.ask(study, DiffusionConfig(size="pico").build(seeded(0)))


def test_information_is_counted_in_bits() -> None:
    assert information(np.eye(4)) == pytest.approx(2.0)
    assert information(np.ones((4, 3))) == pytest.approx(0.0)
    assert nmi(np.ones((4, 1))) == 0.0
    assert purity(torch.tensor([0, 0, 1, 1]), torch.tensor([2, 2, 0, 1])) == 0.75


@pytest.mark.slow
def test_the_world_that_comes_with_the_package_obeys_its_pads_from_a_sketch() -> None:
    shelf = Path(genie_quick.__file__).parents[1] / "weights" / "pushable"
    world = read_study(shelf).model.build(seeded(0))
    for stage in world.stages():
        stage.module.load_state_dict(load_file(shelf / f"{stage.name}.safetensors"))
    sketch = torch.full((1, 64, 64, 3), 255, dtype=torch.uint8)
    sketch[0, 28:37, 30:38] = torch.tensor([230, 20, 30], dtype=torch.uint8)  # a red box: it only ever saw discs
    rows, columns, moved = torch.arange(64)[:, None], torch.arange(64), []
    for pad in range(world.buttons):
        place = world.enter(sketch)
        for _ in range(3):
            place = world.press(place, pad, 0.0, seeded(0))
        red = (place.frame[..., 1] < 128).float()
        assert 30 < red.sum() < 120
        moved.append((float((red * columns).sum() / red.sum()) - 33.5, float((red * rows).sum() / red.sum()) - 32.0))
    across, down = np.array(moved).T
    assert across.min() < -6
    assert across.max() > 6
    assert down.min() < -6
    assert down.max() > 6
    assert np.hypot(across, down).min() < 2
