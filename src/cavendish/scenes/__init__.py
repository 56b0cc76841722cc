"""The laws of nature: one file per scene, numpy only. A new scene is one file and two lines here."""

from cavendish.errors import chosen
from cavendish.scenes.aristotle_fall import AristotleFall
from cavendish.scenes.attribute_conflict import AttributeConflict
from cavendish.scenes.billiard import Billiard
from cavendish.scenes.bouncing_ball import BouncingBall
from cavendish.scenes.charged_particle import ChargedParticle
from cavendish.scenes.collision import Collision
from cavendish.scenes.combinatorial import Combinatorial
from cavendish.scenes.composition import Composition
from cavendish.scenes.coupled_springs import CoupledSprings
from cavendish.scenes.drag_fall import DragFall
from cavendish.scenes.hidden_friction import HiddenFriction
from cavendish.scenes.hidden_mass import HiddenMass
from cavendish.scenes.incline import Incline
from cavendish.scenes.occlusion import Occlusion
from cavendish.scenes.orbit import Orbit
from cavendish.scenes.parabola import Parabola
from cavendish.scenes.pendulum import Pendulum
from cavendish.scenes.platform import Platform
from cavendish.scenes.playable import Playable
from cavendish.scenes.pushable import Pushable, PushablePair
from cavendish.scenes.rolling_spheres import RollingSpheres
from cavendish.scenes.runaway_motion import RunawayMotion
from cavendish.scenes.scene import Factor, Law, Scene
from cavendish.scenes.spring import Spring
from cavendish.scenes.support import Support
from cavendish.scenes.throw_and_slide import ThrowAndSlide
from cavendish.scenes.uniform_motion import UniformMotion

AnyScene = (
    UniformMotion
    | Parabola
    | Collision
    | DragFall
    | BouncingBall
    | Incline
    | Spring
    | Pendulum
    | CoupledSprings
    | Orbit
    | ChargedParticle
    | Billiard
    | Occlusion
    | HiddenMass
    | RunawayMotion
    | AristotleFall
    | AttributeConflict
    | Composition
    | Support
    | HiddenFriction
    | Pushable
    | PushablePair
    | Platform
    | Combinatorial
    | ThrowAndSlide
    | RollingSpheres
)  # fmt: skip
SCENES: tuple[type[AnyScene], ...] = AnyScene.__args__

# Lie detectors: gravity up, speed that feeds itself, mass-dependent fall, impacts that make or lose energy.
WRONG_PHYSICS: tuple[AnyScene, ...] = (
    Parabola(gravity=-2.5),
    RunawayMotion(),
    AristotleFall(),
    Collision(restitution=1.3),
    Collision(restitution=0.5),
)

__all__ = [
    "SCENES",
    "WRONG_PHYSICS",
    "AnyScene",
    "AristotleFall",
    "AttributeConflict",
    "Billiard",
    "BouncingBall",
    "ChargedParticle",
    "Collision",
    "Combinatorial",
    "Composition",
    "CoupledSprings",
    "DragFall",
    "Factor",
    "HiddenFriction",
    "HiddenMass",
    "Incline",
    "Law",
    "Occlusion",
    "Orbit",
    "Parabola",
    "Pendulum",
    "Platform",
    "Playable",
    "Pushable",
    "PushablePair",
    "RollingSpheres",
    "RunawayMotion",
    "Scene",
    "Spring",
    "Support",
    "ThrowAndSlide",
    "UniformMotion",
    "scene_named",
]


def scene_named(name: str) -> type[AnyScene]:
    """Find a scene's class by its kebab-case name."""
    return chosen("scene", name, {scene.name(): scene for scene in SCENES})
