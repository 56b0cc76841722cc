"""Shared by all tests: shapes checked at run time, every scene, and a study small enough to train in seconds."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from jaxtyping import install_import_hook

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "src" / "cavendish").rglob("*.py"))
# Every shape in a signature is checked in tests, except in modules that numba compiles: it cannot see through a check.
CHECKED = [
    ".".join(path.relative_to(ROOT / "src").with_suffix("").parts)
    for path in SOURCES
    if path.name != "__init__.py" and "import njit" not in path.read_text()
]

with install_import_hook(CHECKED, "beartype.beartype"):
    from cavendish.data import Picture, Split
    from cavendish.models import DiffusionConfig
    from cavendish.scenes import SCENES, UniformMotion
    from cavendish.scenes.scene import Scene
    from cavendish.studies import Study, Weighing
    from cavendish.training import TrainingConfig

torch.set_num_threads(1)  # tests share two cores; results depend on the thread count, so it is fixed


@pytest.fixture(params=SCENES, ids=lambda scene: scene.name())
def scene(request: pytest.FixtureRequest) -> Scene:
    """Every scene in turn, with its default constants."""
    return request.param()


@pytest.fixture
def tiny_study() -> Study:
    """Return a study that trains, imagines and is weighed within seconds."""
    data = Split(UniformMotion(), size=1000, picture=Picture(16, 16), flip=0.5)
    model = DiffusionConfig(size="pico", patch=8, tubelet=4)
    training = TrainingConfig(steps=4, batch=2, save_every=2)
    return Study("tiny", data, model, training, Weighing(("interpolation", "ood-velocity"), clips=4, cases=50))


@pytest.fixture
def tiny_split(tiny_study: Study) -> Split:
    """Return the training split of the tiny study."""
    return replace(tiny_study.data)
