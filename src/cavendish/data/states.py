"""The true states beside a folder of films: `states.npz`, plain arrays, never pickled.

position  clip x time x body x axis [m]   velocity  the same [m/s]   time [s]
radius    clip x time x body [m]          factors   clip x factor, named by factor_names
actions   clip x time x 1, numbers of the buttons named by action_names: only where a world has buttons
angle     clip x time x body [rad], only where bodies turn
"""

import zipfile
from pathlib import Path

import numpy as np
from jaxtyping import Float

from cavendish.errors import BadInputError, CorruptDataError
from cavendish.motion import Trajectory
from cavendish.scenes import Playable, Scene

FIELDS = ("position", "velocity", "time", "radius", "factors")


def write_states(
    path: Path, truth: Trajectory, scene: Scene, actions: Float[np.ndarray, "b t a"] | None = None
) -> None:
    """Write the states of a batch of clips, and the buttons pressed where there are any."""
    fields = FIELDS if truth.angle is None else (*FIELDS, "angle")
    arrays = {field: getattr(truth, field) for field in fields}
    arrays["factor_names"] = np.array([factor.name for factor in scene.factors])
    if actions is not None and isinstance(scene, Playable):
        arrays |= {"actions": actions.astype(np.uint8), "action_names": np.array(scene.controls)}
    np.savez(path, **arrays)


def read_states(path: Path) -> Trajectory:
    """Read the states of a batch of clips; a missing or misshapen array is refused by name."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {field: stored[field] for field in FIELDS}
            angle = stored.get("angle")
    except FileNotFoundError as error:
        raise BadInputError(f"{path}: no such file") from error
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise CorruptDataError(f"{path}: not a states file ({error})") from error
    position, time = arrays["position"], arrays["time"]
    if position.ndim != 4 or position.shape[-1] not in (2, 3) or position.shape[1] != len(time):
        raise CorruptDataError(f"{path}: position is {position.shape}, expected (clips, {len(time)}, bodies, 2 or 3)")
    for field, shape in (("velocity", position.shape), ("radius", position.shape[:-1])):
        if arrays[field].shape != shape:
            raise CorruptDataError(f"{path}: {field} is {arrays[field].shape}, expected {shape}")
    for field in FIELDS:
        if not np.isfinite(arrays[field]).all():
            raise CorruptDataError(f"{path}: {field} holds values that are not finite")
    if angle is not None and (angle.shape != position.shape[:-1] or not np.isfinite(angle).all()):
        raise CorruptDataError(f"{path}: angle is {angle.shape}, expected {position.shape[:-1]}, finite")
    ones = np.ones(position.shape[:-1])
    return Trajectory(time, position, arrays["velocity"], arrays["radius"], ones, arrays["factors"], angle)


def read_actions(path: Path, scene: Scene) -> Float[np.ndarray, "b t a"] | None:
    """Read the buttons that were pressed; none where the scene has no buttons or the file tells of none."""
    if not isinstance(scene, Playable):
        return None
    with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
        actions, shape = stored.get("actions"), stored["position"].shape[:2]
    if actions is None:
        return None
    if actions.shape != (*shape, 1) or not np.isin(actions, np.arange(len(scene.controls))).all():
        raise CorruptDataError(f"{path}: actions are {actions.shape}, expected numbers of buttons {(*shape, 1)}")
    return np.asarray(actions.astype(float))
