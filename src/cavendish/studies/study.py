"""A study is one frozen value: what is learnt, from what, how, and on what it is weighed.

Its hash names its results, so the same command finds them again, resumes them, or does nothing.
"""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

from cavendish.artefact import read_json
from cavendish.codec import LATER, from_json, to_json
from cavendish.data import AnyData
from cavendish.errors import BadInputError, unknown
from cavendish.models import AnyModel
from cavendish.training import TrainingConfig
from cavendish.training.engine import Engine
from cavendish.training.spread import Spread


@final
@dataclass(frozen=True)
class Weighing:
    """On what a trained model is weighed: fresh clips of several regions, filmed as in training."""

    regions: tuple[str, ...] = ("interpolation", "ood-radius", "ood-velocity", "ood-both")
    clips: int = 256  # per region
    cases: int = 20_000  # training clips that the nearest-case control may replay
    seed: int = 1


@final
@dataclass(frozen=True)
class Study:
    """One experiment."""

    name: str
    data: AnyData
    model: AnyModel
    training: TrainingConfig
    weighing: Weighing = Weighing()
    seed: int = 0
    spread: Spread = field(default=Spread(), metadata=LATER)
    engine: Engine = field(default=Engine(), metadata=LATER)

    def __post_init__(self) -> None:
        """Refuse regions that the scene does not have."""
        for region in self.weighing.regions:
            if region not in self.data.lead.scene.regions():
                raise unknown(f"region of {self.data.lead.scene.name()}", region, self.data.lead.scene.regions())
        if self.weighing.clips < 2:
            raise BadInputError(f"weighing.clips = {self.weighing.clips}, expected at least 2 for an interval")

    def hash(self) -> str:
        """Return the fingerprint of everything that decides the result."""
        canonical = json.dumps(to_json(self), sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()

    def folder(self, root: Path) -> Path:
        """Return where this study's run lives under a root folder."""
        return root / f"{self.name}-{self.hash()[:8]}"


def read_study(run: Path) -> Study:
    """Read the study of a run folder."""
    if not run.is_dir():
        raise BadInputError(f"{run}: no such run folder")
    return from_json(Study, read_json(run / "study.json"), str(run / "study.json"))
