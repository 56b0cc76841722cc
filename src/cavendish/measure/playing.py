"""Does a world that was learnt from silent video do what its buttons say, and does what it does obey physics?

purity      share of transitions named right if every latent code is read as the true button it most often stands for
NMI         2 I(code; button) / (H(code) + H(button)); both beside what shuffled codes get
rollout     PSNR and SSIM, averaged over all frames of a dream
delta-t     PSNR of frame t with inferred actions - PSNR with random ones (Bruce et al. 2024, section 3): uniform, or
            drawn as often as they occur; the second is the harder, since a code for "nothing" flatters the first
changed     token accuracy where a symbol differs from the one before; the rest is right by copying
pads        hold a code for a few frames from new start images; the outcome is the button of the true world that, held
            as long from the same start, would have moved the ball most nearly as the reader saw it move: the share of
            the commonest outcome. So "stays" is nearer to rest than to any push of this very ball, and nothing is set
            by hand; how far a pad moves a ball stands beside. Only this finds a model that ignores its actions.
control     I(code; outcome) in bits, outcomes as above
p = m v     a push of impulse J moves a ball by d ~ J / m: the exponent of m in d, -1 in the true world
drift       share of starts from which the ball is still found after so many random presses
A start image counts only if the true world itself would do what every button says, all pushes alike: near a wall a
ball bounces back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from cavendish.data import Split
from cavendish.errors import BadInputError
from cavendish.measure.peers.pictures import ssim
from cavendish.measure.score import Score, figure, jackknifed, score
from cavendish.motion import Trajectory
from cavendish.readout import Reader
from cavendish.scenes import Playable
from cavendish.scenes.scene import disc_mass
from cavendish.video import Clip, Imagined

OUTCOMES = ("stays", "left", "right", "down", "up")
STEP = 4  # frames, of delta-t


@runtime_checkable
class Steered(Protocol):
    """A learnt world with latent actions."""

    @property
    def buttons(self) -> int:
        """Return the number of latent actions."""

    def infer(self, clip: Clip) -> Int[Tensor, "b s"]:
        """Return the latent action of every transition."""

    def follow(self, context: Clip, actions: Int[Tensor, "b h"], generator: torch.Generator) -> Imagined:
        """Continue clips with given latent actions."""

    def guess(self, clip: Clip) -> tuple[Int[Tensor, "b s n"], Int[Tensor, "b t n"]]:
        """Return the likeliest symbols of every frame after the first, and the true symbols."""


@dataclass(frozen=True)
class Pressed:
    """Where the ball went from each start when each code was held, and as which button (-1 where it was lost)."""

    moved: Float[np.ndarray, "code trial d"]  # m
    mass: Float[np.ndarray, " trial"]  # kg
    outcome: Int[np.ndarray, "code trial"]


def alignment(model: Steered, clip: Clip) -> tuple[Score, ...]:
    """Score latent actions against the buttons that were really pressed."""
    if clip.actions is None:
        raise BadInputError("these clips do not tell which buttons were pressed, so nothing can be aligned")
    codes, true = model.infer(clip).numpy(), clip.actions[:, :-1, 0].long().numpy()
    shuffled = np.random.default_rng(0).permuted(codes.ravel()).reshape(codes.shape)
    found = []
    for name, told in (("", codes), (", shuffled codes", shuffled)):
        table = np.zeros((codes.shape[0], model.buttons, int(true.max()) + 1))
        np.add.at(table, (np.arange(len(codes))[:, None], told, true), 1)
        meant = table.sum(0).argmax(1)
        found += [
            score(f"purity{name}", "", (meant[told] == true).mean(1)),
            jackknifed(f"NMI{name}", "", len(table), lambda drawn, table=table: nmi(table[drawn].sum(0))),  # type: ignore[misc]
        ]
    used = np.bincount(codes.ravel(), minlength=model.buttons) / codes.size
    even = np.exp(-(used[used > 0] * np.log(used[used > 0])).sum())
    counts = (("codes in use", float((used > 0.005).sum())), ("perplexity of codes", float(even)))
    return (*found, *(figure(name, f"of {model.buttons}", value) for name, value in counts))


def foresight(model: Steered, clip: Clip, known: int, generator: torch.Generator) -> tuple[Score, ...]:
    """Score frames a few steps ahead, with inferred and with random actions, and symbols one step ahead."""
    codes = model.infer(clip)
    told, shape = codes[:, known - 1 : known - 1 + STEP], (len(codes), STEP)
    context, wanted = clip.first(known), clip.frames[:, known - 1 + STEP]
    uniform = torch.randint(model.buttons, shape, generator=generator)
    usual = codes.flatten()[torch.randint(codes.numel(), shape, generator=generator)]
    reached = [psnr(model.follow(context, drawn, generator).film[:, -1], wanted) for drawn in (told, uniform, usual)]
    guessed, symbols = model.guess(clip)
    changed = (symbols[:, 1:] != symbols[:, :-1]).numpy()
    right = (guessed == symbols[:, 1:]).numpy()
    with np.errstate(invalid="ignore"):
        accuracy = (right & changed).sum((1, 2)) / changed.sum((1, 2))
    return (
        score(f"delta-{STEP} PSNR", "dB", reached[0] - reached[1]),
        score(f"delta-{STEP} PSNR, actions as frequent as in truth", "dB", reached[0] - reached[2]),
        score(f"PSNR after {STEP} frames", "dB", reached[0]),
        score(f"PSNR after {STEP} frames, last frame kept", "dB", psnr(clip.frames[:, known - 1], wanted)),
        score("token accuracy, changed tokens", "", accuracy),
        score("token accuracy, all tokens", "", right.mean((1, 2))),
    )


def rollout(model: Steered, clip: Clip, known: int, steps: int, generator: torch.Generator) -> tuple[Score, ...]:
    """Score every frame of a longer dream after `known` frames: with inferred actions, with random ones, and kept."""
    codes, b = model.infer(clip)[:, known - 1 : known - 1 + steps], len(clip.frames)
    wanted = clip.frames[:, known : known + steps]
    films = {"last frame kept": clip.frames[:, known - 1 : known].expand_as(wanted)}
    for name, actions in (
        ("inferred actions", codes),
        ("random actions", torch.randint(model.buttons, (b, steps), generator=generator)),
    ):
        frames = model.follow(clip.first(known), actions, generator).film
        films[name] = frames[:, known:]
    found = []
    for name, film in films.items():
        near = psnr(film.flatten(0, 1), wanted.flatten(0, 1)).reshape(b, steps).mean(1)
        alike = np.array([ssim(*pair) for pair in zip(film.numpy(), wanted.numpy(), strict=True)])
        where = f"of {steps} frames from {known}, {name}"
        found += [score(f"PSNR {where}", "dB", near), score(f"SSIM {where}", "", alike)]
    return tuple(found)


def press_all(
    model: Steered, starts: Clip, truth: Pressed, reader: Reader, hold: int, generator: torch.Generator
) -> Pressed:
    """Hold every latent action from every start, of which the truth tells what the true buttons do there."""
    count, moved = len(starts.frames), []
    for code in range(model.buttons):
        frames = model.follow(starts.first(1), torch.full((count, hold), code), generator).film
        ends = frames[:, [0, -1]].numpy()
        found = reader.read(ends, np.array([0.0, 1.0])).position[:, :, 0]
        moved.append(found[:, 1] - found[:, 0])
    return likened(np.stack(moved), truth)


def likened(moved: Float[np.ndarray, "code trial d"], truth: Pressed) -> Pressed:
    """Call the outcome of every trial by the true button that moves the ball most like it."""
    far = np.linalg.norm(moved[:, None] - truth.moved, axis=-1)
    return Pressed(moved, truth.mass, np.where(np.isnan(far).any(1), -1, far.argmin(1)))


def true_presses(scene: Playable, trajectory: Trajectory, hold: int) -> Pressed:
    """Hold every true button from every start in the true world: where no wall is near, each does what it says."""
    b, time = len(trajectory.position), scene.clock()[: hold + 1]
    held = [np.full((b, hold + 1, 1), float(button)) for button in range(len(scene.controls))]
    ends = np.stack([scene.simulate(trajectory.factors, time, action).position[:, -1, 0] for action in held])
    moved = ends - trajectory.position[:, 0, 0]
    across = np.abs(moved[..., 0]) > np.abs(moved[..., 1])
    way = np.where(across, 1 + (moved[..., 0] > 0), 3 + (moved[..., 1] > 0))
    rests = np.linalg.norm(moved, axis=-1) == 0
    return Pressed(moved, disc_mass(trajectory, 1.0)[:, 0, 0], np.where(rests, 0, way))


def start_images(split: Split, count: int, hold: int) -> Clip:
    """Film beginnings from which the true world would do what every button says."""
    scene, kept = split.scene, np.zeros(0, int)
    assert isinstance(scene, Playable)
    for first in range(0, split.size, 512):
        tried = np.arange(first, min(first + 512, split.size))
        true = true_presses(scene, split.trajectories(tried), hold)
        far = np.linalg.norm(true.moved[1:], axis=-1)
        free = (true.outcome == np.arange(len(OUTCOMES))[:, None]).all(0) & (far.max(0) - far.min(0) < 1e-9)
        kept = np.append(kept, tried[free])
        if len(kept) >= count:
            return split.clips(kept[:count])
    raise BadInputError(f"only {len(kept)} of {split.size} starts leave room for every push, expected {count}")


def obedience(found: Pressed, outcomes: Sequence[str] = OUTCOMES) -> tuple[Score, ...]:
    """Score how surely every pad does one thing, how much control pads give, and p = m v."""
    codes, trials = found.outcome.shape
    counts = np.stack([(found.outcome == k).sum(1) for k in range(len(outcomes))], 1)
    usual = counts.argmax(1)
    pads = [
        score(f"pad {code}: {outcomes[usual[code]]}", "", (found.outcome[code] == usual[code]).astype(float))
        for code in range(codes)
    ]
    far = [score(f"pad {code} moves by", "m", np.linalg.norm(found.moved[code], axis=-1)) for code in range(codes)]
    obeyed = (found.outcome == usual[:, None]) & (usual[:, None] > 0)

    def control(drawn: Int[np.ndarray, " n"]) -> float:
        return information(np.stack([(found.outcome[:, drawn] == k).sum(1) for k in range(-1, len(outcomes))], 1))

    return (
        *pads,
        *far,
        score("least consistent pad", "", np.array([min(pad.value for pad in pads)])),
        score("outcomes that some pad reaches", f"of {len(outcomes)}", np.array([float(len(set(usual.tolist())))])),
        jackknifed("controllability", "bit", trials, control),
        jackknifed("exponent of mass", "", trials, lambda drawn: _exponent(found, obeyed, drawn)),
    )


def persistence(
    model: Steered, starts: Clip, reader: Reader, actions: Int[Tensor, "b h"], generator: torch.Generator
) -> tuple[Score, ...]:
    """Score from how many starts the ball is still found after 4, 16 and all presses."""
    frames = model.follow(starts.first(1), actions, generator).film
    after = [k for k in (4, 16, 64) if k <= actions.shape[1]]
    lost = reader.read(frames[:, after].numpy(), np.arange(len(after), dtype=float)).lost[..., 0]
    return tuple(score(f"ball found after {k} presses", "", 1.0 - lost[:, column]) for column, k in enumerate(after))


def psnr(frames: Tensor, wanted: Tensor) -> Float[np.ndarray, " b"]:
    """Return the peak signal-to-noise ratio of every frame in dB; equal frames get that of rounding alone."""
    square = (frames.double() - wanted.double()).square().mean((1, 2, 3)) + 1 / 12
    return np.asarray(10 * np.log10(255**2 / square.numpy()))


def information(table: Float[np.ndarray, "x y"] | Int[np.ndarray, "x y"]) -> float:
    """Return the mutual information of a table of counts in bits."""
    share = table / table.sum()
    alone = share.sum(1, keepdims=True) * share.sum(0, keepdims=True)
    there = share > 0
    return float((share[there] * np.log2(share[there] / alone[there])).sum())


def nmi(table: Float[np.ndarray, "x y"]) -> float:
    """Return the mutual information over the mean of both entropies; 0 where nothing varies."""
    both = information(np.diag(table.sum(1))) + information(np.diag(table.sum(0)))
    return 2 * information(table) / both if both > 0 else 0.0


def _exponent(found: Pressed, obeyed: Bool[np.ndarray, "code trial"], drawn: Int[np.ndarray, " n"]) -> float:
    """Return the slope of log distance over log mass, common to all pads, on trials that obeyed."""
    heavy = np.log(np.broadcast_to(found.mass, obeyed.shape)[:, drawn])
    with np.errstate(divide="ignore", invalid="ignore"):
        far = np.log(np.linalg.norm(found.moved, axis=-1)[:, drawn])
    counted = obeyed[:, drawn]
    rows = [k for k in range(len(counted)) if counted[k].sum() > 2]
    if not rows:
        return float("nan")
    x = np.concatenate([heavy[k][counted[k]] - heavy[k][counted[k]].mean() for k in rows])
    y = np.concatenate([far[k][counted[k]] - far[k][counted[k]].mean() for k in rows])
    return float((x * y).sum() / (x * x).sum())
