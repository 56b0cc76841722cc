"""The studies that have a name. A new one is one value here."""

from dataclasses import replace

from cavendish.data import Picture, Recording, Split
from cavendish.data.captions import SPOKEN
from cavendish.errors import chosen
from cavendish.models import DiffusionConfig, GenieConfig
from cavendish.models.diffusion import CompressionConfig, Lexicon, Mixture, Wording
from cavendish.scenes import AnyScene, Collision, Parabola, Pushable, UniformMotion
from cavendish.studies.study import Study, Weighing
from cavendish.training import TrainingConfig
from cavendish.training.engine import Engine

# Sized for ten minutes on two cores; the sweep behind every number is in docs/log.md.
QUICK_PICTURE = Picture(32, 32)
QUICK_MODEL = DiffusionConfig(size="pico", patch=8, tubelet=4, mixture=Mixture(leap=0.9, prefix=0.08))
QUICK_TRAINING = TrainingConfig(steps=3000, batch=16, rate=1.5e-3, ema=0.995)

# One model for every way of prompting, captions among them; its shares are not tuned yet.
ANY_PROMPT = Mixture(leap=0.3, prefix=0.1, subset=0.4, whole=0.2, masked=0.05)
TOLD_MODEL = replace(QUICK_MODEL, mixture=ANY_PROMPT, steps=4, text=Lexicon(SPOKEN))

# A world to play: 64 px, three stages, 9 minutes of processor time (`cavendish study genie-quick` asks what it learnt).
GENIE_QUICK = Study(
    "genie-quick",
    Split(Pushable(), size=3_000_000, picture=Picture(64, 64)),
    GenieConfig(),
    TrainingConfig(steps=800, batch=16, rate=3e-3, save_every=250),
    Weighing(("train",)),
)

# The same from any folder of films, buttons unknown: cavendish train genie-films --data.folder FOLDER, then play it.
GENIE_FILMS = replace(GENIE_QUICK, name="genie-films", data=Recording("films"), weighing=Weighing(regions=()))


def _quick(name: str, scene: AnyScene) -> Study:
    data = Split(scene, size=3_000_000, picture=QUICK_PICTURE, flip=0.5)
    return Study(name, data, QUICK_MODEL, QUICK_TRAINING)


# The same denoiser on what a codec of its own, trained first, says of the pictures.
LATENT_MODEL = replace(QUICK_MODEL, patch=1, codec=CompressionConfig())

# The study's first row on one large accelerator: size S, 30,000 clips of 128 px, half of them mirrored. 76 PFLOP, which
# a tenth of an H100's bfloat16 rate does in 13 minutes. Not run yet.
LARGE = Study(
    "uniform-s-30k",
    Split(UniformMotion(), size=30_000, picture=Picture(128, 128), flip=0.5),
    DiffusionConfig("S", 16, 2, mixture=Mixture(leap=0.9, prefix=0.08)),
    TrainingConfig(6000, 64, 1e-3, ema=0.999, save_every=1000),
    engine=Engine("cuda", "bfloat16", "graphs"),
)

NAMED = (
    _quick("uniform-quick", UniformMotion()),
    _quick("parabola-quick", Parabola()),
    _quick("collision-quick", Collision()),
    replace(_quick("uniform-latent", UniformMotion()), model=LATENT_MODEL),
    replace(_quick("uniform-prompts", UniformMotion()), model=TOLD_MODEL),
    replace(_quick("uniform-wording", UniformMotion()), model=replace(TOLD_MODEL, text=Wording())),
    GENIE_QUICK,
    GENIE_FILMS,
    LARGE,
)
STUDIES = {study.name: study for study in NAMED}


def study_named(name: str) -> Study:
    """Find a study by its name."""
    return chosen("study", name, STUDIES)
