"""`cavendish measure VIDEOS --scene SCENE`: weigh anybody's films, with or without their true states."""

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from cavendish.codec import to_json
from cavendish.commands.footage import Footage, Scale, load, read, scale_of
from cavendish.data import Split
from cavendish.data.kit import check_answers, check_names, read_kit
from cavendish.data.media import clips_in
from cavendish.data.states import read_actions, read_states
from cavendish.errors import BadInputError
from cavendish.measure import Score, scorecard
from cavendish.measure.discovery import NO_LAW, discover
from cavendish.measure.lag import action_lag
from cavendish.measure.unscaled import in_frame, in_units, unscaled
from cavendish.motion import Trajectory
from cavendish.readout import Reader
from cavendish.readout.palette import Colours, of_hexes
from cavendish.readout.perspective import lift
from cavendish.report.card import sheet, write_card
from cavendish.scenes import Playable, Scene, scene_named


@dataclass(frozen=True)
class Options:
    """Weigh videos: against their true states if there are any, else against the scene's law alone."""

    videos: tyro.conf.Positional[Path]
    """Folder of clips: mp4, webm, mov, mkv, avi, gif or webp files, or one folder of numbered images each."""
    scene: str
    """Name of the scene that the videos show."""
    states: Path | None = None
    """The true states; by default states.npz in the folder of the videos, if it is there."""
    kit: Path | None = None
    """The prompt kit that the videos answer (`cavendish render SCENE --prompts`)."""
    fps: float | None = None
    """Frames per second; by default the clock of the states, else unknown: times are in frames."""
    world: float | None = None
    """Metres across the frame; by default the scene's own with states, else unknown: lengths are in frame widths."""
    colours: tuple[str, ...] = ()
    """Colours of the bodies and then of the background, as ff0000 ffffff; by default the scene's, or learnt."""
    out: Path | None = None
    """Folder for scorecard.json and scorecard.html; by default nothing is written."""
    key: Path | None = None
    """Private key to sign the card with (`cavendish report --new-key FILE` makes one)."""


@dataclass(frozen=True)
class Weighed:
    """What was found: tracks, their scale, and the answers."""

    seen: Trajectory
    scale: Scale
    scores: tuple[Score, ...]
    palette: str


def main(arguments: list[str]) -> None:
    """Read every clip, score them together, print the card."""
    options = tyro.cli(Options, args=arguments, prog="cavendish measure")
    scene = scene_named(options.scene)()
    colours = _colours(options.colours, scene)
    footage, truth = _answers(scene, options) if options.kit is not None else (load(options.videos), _states(options))
    if truth is None:
        weighed = _by_law(scene, footage, options, colours)
    else:
        weighed = _by_truth(scene, footage, options, colours, truth)
    law = _law(scene, weighed)
    if options.out is not None:
        content = {
            "scene": scene.name(),
            "sentence": f"{law['printed']} ({law['verdict']})",
            "clips": [path.name for path in footage.paths],
            "scores": [to_json(score) for score in weighed.scores],
            "law": law,
            "configuration": {name: str(value) for name, value in vars(options).items() if name != "key"}
            | {"palette": weighed.palette, "truth": "given" if truth is not None else "none"},
        }
        picture = sheet(footage.films, weighed.seen, weighed.scale.frame)
        path = write_card(options.out, content, footage.paths, options.key, picture)
        sys.stdout.write(f"scorecard: {path}\nreport: {path.with_suffix('.html')}\n")
    Console().print(table(weighed.scores))
    _say(footage, weighed, law, truth is not None)


def table(scores: Iterable[Score]) -> Table:
    """Lay scores out for a terminal."""
    shown = Table("measurement", "value", "95 % interval", "clips")
    for score in scores:
        unit = f" {score.unit}" if score.unit else ""
        value = f"{score.value:.4g}{unit}" if score.n else "none"
        between = f"{score.low:.4g} to {score.high:.4g}" if score.n else ""
        shown.add_row(score.name, value, between, f"{score.n}/{score.clips}")
    return shown


def _answers(scene: Scene, options: Options) -> tuple[Footage, Trajectory]:
    """Take the answers to a prompt kit, all of them or none, and the truth that the kit stands for."""
    assert options.kit is not None
    kit = read_kit(options.kit)
    if kit.split.scene != scene:
        raise BadInputError(f"scene = {scene.name()}, but {options.kit} prompts for {kit.split.scene.name()}")
    check_names(kit, clips_in(options.videos), options.videos)
    footage = load(options.videos)
    stated = None if footage.time is None or options.fps is not None else 1 / float(np.diff(footage.time).mean())
    check_answers(kit, list(footage.films), stated)
    return footage.first(kit.frames), kit.truth()


def _states(options: Options) -> Trajectory | None:
    path = _states_path(options)
    return read_states(path) if options.states is not None or path.is_file() else None


def _states_path(options: Options) -> Path:
    return options.states or options.videos / "states.npz"


def _colours(names: tuple[str, ...], scene: Scene) -> Colours | None:
    if not names:
        return None
    if len(names) != scene.bodies + 1:
        raise BadInputError(f"colours: {len(names)} given, expected {scene.bodies} of bodies and one of the background")
    found = of_hexes(names)
    return Colours(found[:-1], found[-1])


def _by_truth(scene: Scene, footage: Footage, options: Options, colours: Colours | None, truth: Trajectory) -> Weighed:
    """Score against true states, on their clock and in the scene's world."""
    if len(footage.paths) != len(truth.position):
        raise BadInputError(f"{options.videos}: {len(footage.paths)} clips, but states for {len(truth.position)}")
    if options.fps is not None and not np.allclose(np.diff(truth.time), 1 / options.fps):
        raise BadInputError(f"fps = {options.fps:g}, but the states are {1 / np.diff(truth.time)[0]:g} per second")
    if options.world is not None and options.world != scene.world.width:
        raise BadInputError(f"world = {options.world:g} m, but {scene.name()} is {scene.world.width:g} m across")
    if footage.count != len(truth.time):
        raise BadInputError(f"{footage.paths[0]}: {footage.count} frames, expected {len(truth.time)} as in the states")
    aspect = footage.size[0] / footage.size[1] * scene.world.width / scene.world.height
    if abs(aspect - 1) > 0.01:
        raise BadInputError(f"{footage.paths[0]}: frames of {footage.size[1]} x {footage.size[0]} do not fit the world")
    scale = Scale(scene.world, truth.time, ("m", 1.0), ("s", 1.0))
    found = read(scene, footage, scale, colours, Reader.of(scene.draw(truth)))
    seen = replace(lift(scene, truth, found.tracks), factors=truth.factors)
    scores = scorecard(scene, truth, seen).scores
    if scene.space == 2:
        scores = (*scores, *found.looks(scene, scene.world, footage))
    pressed = read_actions(_states_path(options), scene) if options.kit is None else None
    if pressed is not None and isinstance(scene, Playable):
        scores = (*scores, action_lag(scene, truth, pressed, seen))
    return Weighed(seen, scale, scores, found.palette)


def _by_law(scene: Scene, footage: Footage, options: Options, colours: Colours | None) -> Weighed:
    """Ask what needs no truth, in whatever units are known."""
    scale = scale_of(scene, footage, options.fps, options.world)
    example = scene.draw(Split(scene).trajectories(np.array([0])))  # type: ignore[arg-type]
    found = read(scene, footage, scale, colours, Reader.of(example))
    asked = unscaled(scene, found.tracks, scale.frame)
    if scene.space == 2:
        asked = (*asked, *found.looks(scene, scale.frame, footage))
    scores = tuple(in_units(score, scale.length, scale.clock) for score in asked)
    return Weighed(found.tracks, scale, scores, found.palette)


def _law(scene: Scene, weighed: Weighed) -> dict[str, Any]:
    """Print the law that the tracks obey, or why there is none."""
    said: dict[str, Any] = {"true": scene.law.readable(), "printed": "not looked for", "verdict": "", "note": ""}
    if isinstance(scene, Playable):
        return said | {"note": "a law is not read from worlds that answer to buttons yet"}
    try:
        found = discover(scene, in_frame(weighed.seen, weighed.scale.frame))
    except BadInputError as error:
        return said | {"verdict": "not judged", "note": str(error)}
    length, clock = weighed.scale.length, weighed.scale.clock
    notes, verdict = [_constant(scene, one, length, clock) for one in found.parameters], found.verdict
    if not weighed.scale.told and verdict != NO_LAW:
        notes.insert(0, f"printed in units of {length[1]:.4g} {length[0]} and {clock[1]:.4g} {clock[0]}")
        verdict = "same structure" if verdict.startswith("same structure") else verdict  # true constants are in SI
    note = "; ".join(filter(None, notes))
    return said | {"printed": found.printed_law, "verdict": verdict, "note": note, "found": to_json(found)}


def _constant(scene: Scene, one: Any, length: tuple[str, float], clock: tuple[str, float]) -> str:
    """Write a constant that the true law names, with its interval, in the units that are known."""
    unit = re.search(r"\[(.*)\]", scene.law.parameters.get(one.name, ""))
    if unit is None:
        return ""
    clips = len(one.values)
    stated = in_units(Score(one.name, unit[1], one.value, one.low, one.high, clips, clips, one.values), length, clock)
    return f"{stated.name} = {stated.value:.4g} ({stated.low:.4g} to {stated.high:.4g}) {stated.unit}"


def _say(footage: Footage, weighed: Weighed, law: dict[str, Any], judged: bool) -> None:
    """Print what the numbers rest on, and the law."""
    lines = [f"colours: {weighed.palette}"]
    missing = [("--fps", weighed.scale.clock[0] == "frame"), ("--world", weighed.scale.length[0] == "width")]
    if not judged and any(gone for _, gone in missing):
        asked = " and ".join(name for name, gone in missing if gone)
        stated = (
            "" if footage.time is None else f" (the files say {1 / np.diff(footage.time).mean():.4g} frames per second)"
        )
        lines.append(
            f"units: frames or frame widths where {asked} is not given{stated}; ratios and drifts need neither"
        )
    lines += [f"law found: {law['printed']}", f"true law:  {law['true']}"]
    lines += [f"verdict:   {law['verdict']}"] if law["verdict"] else []
    lines += [f"           {law['note']}"] if law["note"] else []
    sys.stdout.write("\n".join(lines) + "\n")
