"""`cavendish play RUN`: a page in the browser on which a person plays a learnt world, or a true one (--scene)."""

import asyncio
import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro

from cavendish.data import Arcade, Picture, Recording, Split
from cavendish.errors import BadInputError, DiskError
from cavendish.models.playing import PlayedWorld
from cavendish.play.likeness import likeness
from cavendish.play.server import Address, Limits, serve
from cavendish.play.session import Stage
from cavendish.play.simulated import Beginning, Simulated, beginning
from cavendish.scenes import Playable, scene_named
from cavendish.studies import load, read_study
from cavendish.studies.pretrained import pretrained

EXAMPLES = 6  # true beginnings from which the meaning of the buttons is learnt


@dataclass(frozen=True)
class Options:
    """Play a world in the browser."""

    run: tyro.conf.Positional[Path | None] = None
    """Run folder of a study whose world has buttons."""
    pretrained: str | None = None
    """Instead of a run: the name of a world that comes with the package."""
    scene: str | None = None
    """Instead of a run: a playable scene, played by the true simulator."""
    side: int = 64
    """With --scene: pixels across and up."""
    seed: int = 0
    """Seed of the true beginnings."""
    host: str = "127.0.0.1"
    """Address to listen on; by default only this machine can reach it."""
    port: int = 0
    """Port; 0 takes any free one."""
    name: tuple[str, ...] = ()
    """Further names or addresses by which browsers call this machine, where --host lets others in."""
    players: int = 8
    """How many may play at once."""


def main(arguments: list[str]) -> None:
    """Serve until interrupted."""
    options = tyro.cli(Options, args=arguments, prog="cavendish play")
    if sum(source is not None for source in (options.run, options.pretrained, options.scene)) != 1:
        raise BadInputError("expected a run folder, --pretrained or --scene; one of them")
    if options.players < 1 or not 0 <= options.port < 2**16:
        raise BadInputError(f"players = {options.players}, port = {options.port}, expected at least 1, and 0 to 65535")
    torch.set_num_threads(1)  # one small picture at a time: threads would cost more than they give
    run = options.run if options.pretrained is None else pretrained(options.pretrained)
    stage = _true(options.scene, options) if run is None else learnt(run, options.seed)
    address = Address(options.host, options.port, options.name)
    with suppress(KeyboardInterrupt):
        try:
            asyncio.run(serve(stage, address, Limits(options.players), _say))
        except OSError as error:
            raise DiskError(f"cannot listen on {options.host}:{options.port}: {error.strerror}") from error


def _say(url: str) -> None:
    sys.stdout.write(f"Play at {url}\nThe part behind # lets you in; Ctrl-C ends the game.\n")
    sys.stdout.flush()


def _true(name: str | None, options: Options) -> Stage:
    """Put the true simulator on stage."""
    scene = scene_named(name or "")()
    if not isinstance(scene, Playable):
        raise BadInputError(f"{scene.name()} has no buttons, expected a playable scene")
    if not 16 <= options.side <= 256:
        raise BadInputError(f"side = {options.side}, expected 16 to 256 pixels")
    world = Simulated(scene, Picture(options.side, options.side))
    split = Split(scene, "interpolation", seed=options.seed, picture=world.picture)
    density = scene.constants().get("density", 1.0)
    opening = partial(beginning, split)
    return Stage(scene.name(), world, opening, scene.step, world.reader, density, controls=scene.controls)


def learnt(run: Path, seed: int) -> Stage:
    """Put a trained world on stage, with the true simulator beside it."""
    study, world = read_study(run), load(run)
    if not isinstance(world, PlayedWorld):
        raise BadInputError(f"{run}: a {type(world).__name__} has no buttons, expected a world that can be played")
    if isinstance(study.data, Arcade):
        return _unlawful(study.name, world, replace(study.data, seed=seed + 1, episodes=EXAMPLES))
    if isinstance(study.data, Recording):
        return _unlawful(study.name, world, replace(study.data, seed=seed + 1))
    data = study.data.lead
    scene = data.scene
    if not isinstance(scene, Playable):
        raise BadInputError(f"{run}: {scene.name()} has no buttons, expected a playable scene")
    truth = Simulated(scene, data.picture)
    split = replace(data, region="interpolation", seed=seed, grid=())
    opening = partial(beginning, split)
    alike = likeness(world, truth, [opening(number) for number in range(EXAMPLES)])
    controls = tuple("" if true < 0 else scene.controls[true] for true in alike)
    density = scene.constants().get("density", 1.0)
    return Stage(study.name, world, opening, scene.step, truth.reader, density, truth, controls)


def _unlawful(title: str, world: PlayedWorld[Any], game: Arcade | Recording) -> Stage:
    """Put a learnt game on stage whose law nobody wrote down: no reader, no truth beside it, and pads without names."""

    def opening(number: int) -> Beginning:
        return Beginning(game.clips(np.array([number % game.size])).frames[0])

    return Stage(title, world, opening, game.step, controls=("",) * world.buttons)
