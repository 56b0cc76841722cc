"""Films that a measurement was handed: decoded in a child, alike in shape and clock, and read with a fitting palette.

Scale and clock: where metres across and frames per second are both told and near the scene's own, tracks are in
metres and seconds; otherwise in units in which the frame is as wide as the scene's world and the clip lasts as long,
so that every threshold keeps its meaning, and scores are turned back into what is known: metres or frame widths,
seconds or frames.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from cavendish.data.decoding import Decoder
from cavendish.data.media import clips_in
from cavendish.errors import BadInputError
from cavendish.measure import Score
from cavendish.measure.appearance import appearance_scores, camera_motion
from cavendish.motion import Trajectory, World
from cavendish.readout import Reader
from cavendish.readout.palette import Colours, flatten, grounds_of, hexes, in_order, learn_colours, reduced
from cavendish.scenes import Scene

LARGEST = 480  # px; larger frames are shrunk by a whole factor, the reader needs no more
SAME_CLOCK = 0.1  # of a frame
SMALLEST = 0.1  # of the scene's world: the least in which its thresholds keep their meaning
SIMILAR, FAMILIAR_SHARE = 40, 0.9  # bytes; share of pixels
BLIND = 0.5  # share of lost bodies beyond which the scene's own colours are not those of the films


@dataclass(frozen=True)
class Footage:
    """Clips of one shape and one clock."""

    paths: tuple[Path, ...]
    films: tuple[UInt8[np.ndarray, "t h w c"], ...]
    time: Float[np.ndarray, " t"] | None  # s, as the files say
    size: tuple[int, int]  # height and width in px before shrinking
    kept: tuple[float, float]  # share of width and height that shrinking has kept

    @property
    def count(self) -> int:
        """Return the number of frames of every clip."""
        return len(self.films[0])

    def first(self, count: int) -> "Footage":
        """Keep the first frames."""
        time = None if self.time is None else self.time[:count]
        return replace(self, films=tuple(film[:count] for film in self.films), time=time)


@dataclass(frozen=True)
class Scale:
    """How films are measured: a frame's rectangle, the clock, and what one unit of each is worth."""

    frame: World
    time: Float[np.ndarray, " t"]
    length: tuple[str, float]  # name of the unit shown, and how many make one unit of the tracks
    clock: tuple[str, float]

    @property
    def told(self) -> bool:
        """Tell whether tracks are in metres and seconds."""
        return self.length == ("m", 1.0) and self.clock == ("s", 1.0)


def load(folder: Path) -> Footage:
    """Decode every clip of a folder; one that is damaged or unlike the others is refused by name."""
    paths = clips_in(folder)
    films, first, size = [], None, (0, 0)
    with Decoder() as decoder:
        for path in paths:
            film = decoder.read(path)
            first = first or film
            size = first.frames.shape[1], first.frames.shape[2]
            if film.frames.shape != first.frames.shape:
                raise BadInputError(
                    f"{path}: {len(film.frames)} frames of {film.frames.shape[1]} x {film.frames.shape[2]}, "
                    f"expected {len(first.frames)} of {size[0]} x {size[1]} as in {paths[0].name}"
                )
            if film.time is not None and first.time is not None and len(film.time) > 1:
                off = np.abs(film.time - first.time).max() / np.diff(first.time).mean()
                if off > SAME_CLOCK:
                    raise BadInputError(f"{path}: its clock runs {off:.2g} frames off that of {paths[0].name}")
            films.append(reduced(film.frames, LARGEST))
    assert first is not None
    factor = -(-max(size) // LARGEST)
    kept = films[0].shape[2] * factor / size[1], films[0].shape[1] * factor / size[0]
    return Footage(tuple(paths), tuple(films), first.time, size, kept)


def scale_of(scene: Scene, footage: Footage, fps: float | None, world: float | None) -> Scale:
    """Choose units: the told ones, or the scene's."""
    for name, value in (("fps", fps), ("world", world)):
        if value is not None and not (np.isfinite(value) and value > 0):
            raise BadInputError(f"{name} = {value:g}, expected more than 0")
    if footage.count < 2:
        raise BadInputError(f"{footage.paths[0]}: {footage.count} frame shows no motion")
    even = np.arange(footage.count) / (fps or 1.0)
    if footage.time is not None:  # what a file says of its own rate is only believed where frames are uneven
        ratio = footage.time / footage.time[-1] * even[-1]
        uneven = np.abs(ratio - even).max() > SAME_CLOCK * even[1]
        if uneven and fps is not None:
            raise BadInputError(
                f"fps = {fps:g}, but the frames of {footage.paths[0].name} are not evenly spaced in time"
            )
        even = ratio if uneven else even
    aspect = footage.size[0] / footage.size[1]
    width = min(scene.world.width, scene.world.height / aspect)
    span = (scene.frames - 1) * scene.step
    metres, seconds = (world or width) / width, float(even[-1]) / span
    length = ("m", metres) if world is not None else ("width", 1 / width)
    clock = ("s", seconds) if fps is not None else ("frame", (footage.count - 1) / span)
    if fps is not None and world is not None and SMALLEST <= metres <= 1:
        width, span, length, clock = world, float(even[-1]), ("m", 1.0), ("s", 1.0)
    return Scale(World(width, width * aspect), even / even[-1] * span, length, clock)


@dataclass(frozen=True)
class Seen:
    """Tracks, the palette in words, and the films on the one ground on which they were read."""

    tracks: Trajectory
    palette: str
    films: tuple[UInt8[np.ndarray, "t h w c"], ...]
    ground: UInt8[np.ndarray, " c"]

    def looks(self, scene: Scene, frame: World, raw: Footage) -> list[Score]:
        """Ask whether bodies keep their looks, and, of the films as they came, whether the scenery rests."""
        bodies = appearance_scores(scene, self.tracks, frame, self.films, self.ground)
        return [*bodies, camera_motion(raw.films, self.tracks, frame)]


def read(scene: Scene, footage: Footage, scale: Scale, colours: Colours | None, look: Reader) -> Seen:
    """Find the bodies in every clip, with the scene's colours if they fit, else with learnt ones; say with which."""
    frame = World(scale.frame.width * footage.kept[0], scale.frame.height * footage.kept[1])
    own = replace(look, world=frame)
    if colours is None and _familiar(footage, look):
        seen = own.read(np.stack(footage.films), scale.time)
        rivals = len(np.unique(look.colours, axis=0)) < scene.bodies  # looks of which a clip shows some
        lost = np.asarray(seen.lost.all(-1) if rivals else seen.lost)
        if min(lost.mean(), lost[:, :3].mean()) <= BLIND:
            return Seen(seen, "the scene's own", footage.films, look.background)
    grounds = grounds_of(footage.films)
    learnt = colours or learn_colours(footage.films, grounds, scene.bodies)
    if colours is None:
        learnt = replace(learnt, bodies=in_order(learnt.bodies, look.colours))
    plain = tuple(flatten(film, ground, learnt) for film, ground in zip(footage.films, grounds, strict=True))
    seen = Reader(learnt.bodies, learnt.ground, frame).read(np.stack(plain), scale.time)
    how = "as told" if colours is not None else "learnt from what moves"
    return Seen(seen, f"{how}: {hexes(learnt.bodies)} on {hexes(learnt.ground[None])}", plain, learnt.ground)


def _familiar(footage: Footage, look: Reader) -> bool:
    """Tell whether nearly all pixels of a few frames have colours that the scene is painted with."""
    known = np.concatenate([look.background[None], look.colours, look.scenery]).astype(int)
    some = np.concatenate([film[:: max(1, len(film) // 3)] for film in footage.films[:8]])
    near = [(np.abs(some - colour).max(-1) <= SIMILAR) for colour in known]
    return bool(np.any(near, axis=0).mean() > FAMILIAR_SHARE)
