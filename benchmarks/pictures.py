"""How fast are pictures and physics? One run, one core; ratios to other ways of doing the same.

Clips at 256 px beside the study's way (NumPy distances over the full grid for every ball, all frames at once, then
H.264); frames at 128 px of two discs and of the scenes in perspective; two-ball collisions beside pymunk.
    python benchmarks/pictures.py
"""

import json
import time
from fractions import Fraction

import av
import numpy as np
import pymunk

from cavendish.data import Picture, Split
from cavendish.motion import Trajectory
from cavendish.render import render
from cavendish.scenes import Collision, RollingSpheres, Scene, ThrowAndSlide

SIDE, CLIPS, BATCH, OBVIOUS_CLIPS = 256, 64, 4, 4


def obvious(truth: Trajectory, clip: int) -> bytes:
    """Draw one clip with array operations over the full grid of all frames, with a soft rim, and encode it."""
    x, y = np.meshgrid(np.linspace(0, 1, SIDE), np.linspace(0, 1, SIDE))
    frames = np.ones((truth.position.shape[1], SIDE, SIDE, 3))
    for body, colour in ((0, (1.0, 0.0, 0.0)), (1, (0.0, 0.0, 1.0))):
        centre, r = truth.position[clip, :, body] / 10, truth.radius[clip, 0, body] / 10
        distance = (x - centre[:, 0, None, None]) ** 2 + (y - centre[:, 1, None, None]) ** 2
        share = np.clip((r**2 - distance) / (0.03 * r**2), 0, 1)[..., None]
        frames = share * np.array(colour) + (1 - share) * frames
    codec = av.CodecContext.create("libx264", "w")
    codec.width = codec.height = SIDE
    codec.pix_fmt, codec.framerate, codec.time_base = "yuv420p", 5, Fraction(1, 5)
    packets = []
    for frame in (255 * frames).astype(np.uint8):
        packets += codec.encode(av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format="yuv420p"))
    packets += codec.encode()
    return b"".join(bytes(packet) for packet in packets)


def frame_rate(scene: Scene, clips: int = 16, rounds: int = 7) -> float:
    """Return frames per CPU-second at 128 px, from the motion to the bytes."""
    truth = Split(scene).trajectories(np.arange(clips))
    taken = []
    for _ in range(rounds):
        begun = time.process_time()
        render(scene.draw(truth), 128, 128)
        taken.append((time.process_time() - begun) / (clips * scene.frames))
    return float(1 / np.median(taken[1:]))


def stepped(row: np.ndarray, time_step: float = 0.01) -> np.ndarray:
    """Play one collision in pymunk as the study's generator does: ten steps per frame, every frame recorded."""
    space = pymunk.Space()
    bodies = []
    for i, speed in ((0, row[2]), (1, -row[3])):
        mass = np.pi * row[i] ** 2
        body = pymunk.Body(mass, pymunk.moment_for_circle(mass, 0, row[i]))
        body.position, body.velocity = (row[4 + i], row[6]), (speed, 0.0)
        shape = pymunk.Circle(body, row[i])
        shape.elasticity, shape.friction = 1.0, 0.0
        space.add(body, shape)
        bodies.append(body)
    places = np.empty((32, 2, 2))
    for frame in range(32):
        for n, body in enumerate(bodies):
            places[frame, n] = body.position
        for _ in range(10):
            space.step(time_step)
    return places


def physics_rates(count: int = 500, few: int = 100, times: int = 40) -> tuple[float, float]:
    """Return collisions per CPU-second of the closed form and of pymunk, alternating, in one run."""
    scene = Collision()
    rows = Split(scene, size=count).trajectories(np.arange(count)).factors
    ours, theirs = [], []
    for _ in range(5):
        begun = time.process_time()
        for _ in range(times):
            scene.simulate(rows, scene.clock())
        ours.append((time.process_time() - begun) / (count * times))
        begun = time.process_time()
        for row in rows[:few]:
            stepped(row)
        theirs.append((time.process_time() - begun) / few)
    return float(1 / np.median(ours)), float(1 / np.median(theirs))


def main() -> None:
    """Time everything and print the rates and their ratios."""
    split = Split(Collision(), picture=Picture(SIDE, SIDE))
    split.clips(np.arange(2))  # compiles
    ours = []
    for start in range(0, CLIPS, BATCH):
        begun = time.process_time()
        split.clips(np.arange(start, start + BATCH))
        ours.append((time.process_time() - begun) / BATCH)
    truth = split.trajectories(np.arange(OBVIOUS_CLIPS))
    theirs = []
    for clip in range(OBVIOUS_CLIPS):
        begun = time.process_time()
        obvious(truth, clip)
        theirs.append(time.process_time() - begun)
    exact, pymunk_rate = physics_rates()
    speeds = {
        "two_disc_frames_per_cpu_second_at_128": frame_rate(Collision()),
        "throw_and_slide_frames_per_cpu_second_at_128": frame_rate(ThrowAndSlide()),
        "rolling_spheres_frames_per_cpu_second_at_128": frame_rate(RollingSpheres()),
        "collisions_per_cpu_second": exact,
        "pymunk_collisions_per_cpu_second": pymunk_rate,
        "physics_ratio": exact / pymunk_rate,
    }
    rates = {"clips_per_cpu_second": 1 / np.median(ours), "obvious_clips_per_cpu_second": 1 / np.median(theirs)}
    print(json.dumps(speeds | rates | {"ratio": float(np.median(theirs) / np.median(ours))}, indent=1))


if __name__ == "__main__":
    main()
