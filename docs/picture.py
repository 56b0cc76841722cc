"""Make the README's picture from a finished run: truth, imagined and as read, inside and outside what was taught.

python docs/picture.py runs/uniform-quick-XXXXXXXX docs/picture.png
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from cavendish.motion import World
from cavendish.readout.overlay import READ, TRUE, enlarge, ring

REGIONS = {"interpolation": "taught range", "ood-velocity": "speeds never taught", "ood-radius": "sizes never taught"}
MOMENTS = (2, 9, 16, 23)
ROWS = ("truth", "imagined, as read")


def main(run: Path, target: Path) -> None:
    """Lay one clip of three regions side by side."""
    figure = Figure((12, 3.9), layout="constrained")
    panels = figure.subplots(len(ROWS), len(REGIONS))
    for column, (region, title) in enumerate(REGIONS.items()):
        with np.load(run / "results" / f"{region}.npz", allow_pickle=False) as stored:
            arrays = {name: stored[name][0] for name in stored.files if name != "time"}
        true, dreamt = (enlarge(arrays[f"{who}_frames"], 192) for who in ("truth", "model"))
        ring(dreamt, arrays["truth_position"], arrays["truth_radius"], World(), TRUE)
        ring(dreamt, arrays["model_position"], arrays["model_radius"], World(), READ)
        for row, images in enumerate((true, dreamt)):
            axes = panels[row, column]
            axes.imshow(np.concatenate([np.asarray(images[k]) for k in MOMENTS], 1))
            axes.set_xticks([192 * k + 96 for k in range(len(MOMENTS))], [f"{k / 10:.1f} s" for k in MOMENTS])
            axes.set_yticks([])
            for k in range(1, len(MOMENTS)):
                axes.axvline(192 * k, color="#dde3ea", lw=1)
        panels[0, column].set_title(title, fontsize=13)
    for row, label in enumerate(ROWS):
        panels[row, 0].set_ylabel(label, fontsize=11)
    figure.savefig(target, dpi=110)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
