"""Record CoinRun (Cobbe et al. 2020), played at random in hard mode, as films and buttons that Cavendish reads.

The game runs in an environment of its own, since it needs an older NumPy than this project:
    python3.11 -m venv coinrun && coinrun/bin/pip install procgen-mirror==0.10.7 'numpy<2' av
    coinrun/bin/python examples/coinrun/record.py coinrun/train --frames 250000
    coinrun/bin/python examples/coinrun/record.py coinrun/test --frames 8000 --first-level 10000 --longest 64 --crf 0
One film per episode, cut where it grows too long: NNNNN.mp4, and NNNNN.npy with the button held from each frame to the
next. Buttons are drawn evenly from the fifteen of the console and never repeated on purpose. Six of them do nothing in
this game and are written down as 4, no direction. At crf 0 the films are lossless, else H.264 with full colour.
"""

import argparse
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from procgen import ProcgenGym3Env

NO_DIRECTION, DIRECTIONS, BUTTONS, RATE = 4, 9, 15, 15


def main() -> None:
    """Play many episodes side by side until enough frames are kept."""
    options = asked()
    options.folder.mkdir(parents=True)
    game = ProcgenGym3Env(
        num=options.side_by_side,
        env_name="coinrun",
        distribution_mode="hard",
        start_level=options.first_level,
        num_levels=options.levels,
        rand_seed=options.seed,
    )
    rng, kept, films = np.random.default_rng(options.seed), 0, 0
    shown: list[list[np.ndarray]] = [[] for _ in range(options.side_by_side)]
    held: list[list[int]] = [[] for _ in range(options.side_by_side)]
    while kept < options.frames:
        _, seen, begins = game.observe()
        buttons = rng.integers(BUTTONS, size=options.side_by_side).astype(np.int32)
        for number, frame in enumerate(seen["rgb"]):
            if begins[number] or len(shown[number]) == options.longest:
                if len(shown[number]) >= options.shortest and kept < options.frames:
                    write(options.folder / f"{films:05d}", shown[number], held[number], options.crf)
                    kept, films = kept + len(shown[number]), films + 1
                shown[number], held[number] = [], []
            shown[number].append(frame.copy())
            held[number].append(int(buttons[number]) if buttons[number] < DIRECTIONS else NO_DIRECTION)
        game.act(buttons)
    print(f"{kept} frames in {films} films: {options.folder}")


def asked() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    for name, default in (("frames", 250_000), ("side-by-side", 64), ("longest", 500), ("shortest", 32)):
        parser.add_argument(f"--{name}", type=int, default=default)
    for name, default in (("first-level", 0), ("levels", 10_000), ("crf", 14), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    return parser.parse_args()


def write(stem: Path, frames: list[np.ndarray], buttons: list[int], crf: int) -> None:
    """Write one film and its buttons."""
    codec, pixels, quality = ("libx264rgb", "rgb24", "qp") if crf == 0 else ("libx264", "yuv444p", "crf")
    private = stem.with_suffix(".part")  # a film that is cut short by an interruption must not look like a film
    with av.open(str(private), "w", format="mp4") as container:
        stream = container.add_stream(codec, rate=Fraction(RATE))
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pixels
        stream.options = {quality: str(crf), "preset": "fast", "threads": "1"}
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    np.save(stem.with_suffix(".npy"), np.array(buttons, np.int64))
    private.rename(stem.with_suffix(".mp4"))


if __name__ == "__main__":
    main()
