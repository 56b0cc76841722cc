"""Record a robot arm of two joints (Gymnasium's Reacher, MuJoCo), pushed at random, as films and buttons.

    pip install 'gymnasium[mujoco]'
    MUJOCO_GL=egl python examples/robot_arm/record.py arm/train        # without a screen; then, for instance,
    cavendish train genie-films --data.folder arm/train
Five buttons: nothing, the shoulder and the elbow one way or the other. Each is drawn evenly and held for three steps of
the simulator, 0.06 s; the motor's other joint goes slack. One film per episode, NNNNN.mp4, and NNNNN.npy with the
button held from each frame to the next; what was filmed is never shown twice.
"""

import argparse
from pathlib import Path

import gymnasium
import numpy as np

from cavendish.data.media import write_clip

TORQUES = 0.15 * np.array([[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1]])  # of the largest: shoulder and elbow, per button
HELD, STEP = 3, 0.02  # steps; s
ABOVE = {"trackbodyid": -1, "lookat": np.zeros(3), "distance": 0.62, "elevation": -90.0}  # where the camera hangs


def main() -> None:
    """Push, film, and write."""
    options = asked()
    options.folder.mkdir(parents=True)
    size = {"width": options.side, "height": options.side}
    arm = gymnasium.make("Reacher-v5", render_mode="rgb_array", default_camera_config=ABOVE, **size)
    rng = np.random.default_rng(options.seed)
    for film in range(options.films):
        arm.reset(seed=int(rng.integers(2**31)))
        frames, buttons = [], rng.integers(len(TORQUES), size=options.frames)
        for button in buttons:
            frames.append(np.asarray(arm.render()))
            for _ in range(HELD):  # past the environment, whose clock ends an episode after 50 steps
                arm.unwrapped.do_simulation(TORQUES[button], 2)
        stem = options.folder / f"{film:05d}"
        np.save(stem.with_suffix(".npy"), buttons)
        write_clip(np.stack(frames), stem, "mp4", round(1 / (HELD * STEP)))
    arm.close()
    print(f"{options.films} films of {options.frames} frames: {options.folder}")


def asked() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    for name, default in (("films", 64), ("frames", 96), ("side", 64), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    return parser.parse_args()


if __name__ == "__main__":
    main()
