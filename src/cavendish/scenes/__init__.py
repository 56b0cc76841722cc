"""The laws of nature: one file per scene, numpy only. A new scene is one file and two lines here."""

from cavendish.errors import unknown
from cavendish.scenes.collision import Collision
from cavendish.scenes.parabola import Parabola
from cavendish.scenes.scene import Factor, Law, Scene
from cavendish.scenes.uniform_motion import UniformMotion

AnyScene = (
    UniformMotion
    | Parabola
    | Collision
)  # fmt: skip
SCENES: tuple[type[AnyScene], ...] = AnyScene.__args__

__all__ = ["SCENES", "AnyScene", "Collision", "Factor", "Law", "Parabola", "Scene", "UniformMotion", "scene_named"]


def scene_named(name: str) -> type[AnyScene]:
    """Find a scene's class by its kebab-case name."""
    known = {scene.name(): scene for scene in SCENES}
    if name not in known:
        raise unknown("scene", name, known)
    return known[name]
