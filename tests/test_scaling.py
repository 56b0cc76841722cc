"""Exponents are recovered from errors that obey a law, and from nothing they are not."""

from collections.abc import Iterator

import numpy as np
import pytest

from cavendish.errors import BadInputError
from cavendish.measure.score import Score, score
from cavendish.models import GenieConfig
from cavendish.studies.experiments import experiment_named
from cavendish.studies.scaling import AXES, Scaling, amount, exponent
from cavendish.training import seeded

X = np.array([1e3, 1e4, 1e5, 1e6])


def noisy(b: float, rng: np.random.Generator) -> list[np.ndarray]:
    """Draw errors of two seeds and forty clips that fall as x^-b."""
    return [x**-b * rng.lognormal(0, 0.1, (2, 1)) * rng.lognormal(0, 0.5, (2, 40)) for x in X]


def test_the_exponent_of_a_law_is_recovered_and_its_interval_covers_it() -> None:
    rng, covered = np.random.default_rng(0), 0
    for _ in range(10):
        b, low, high = exponent(X, noisy(0.5, rng))
        assert abs(b - 0.5) < 0.06
        covered += low <= 0.5 <= high
    assert covered >= 7  # two seeds a point: intervals over them are narrow


def test_clips_that_were_lost_do_not_count() -> None:
    errors = noisy(0.5, np.random.default_rng(1))
    errors[0][:, :20] = np.nan
    errors[1][:] = np.nan
    assert abs(exponent(X, errors)[0] - 0.5) < 0.1


def test_every_axis_is_varied_alone() -> None:
    for preset in Scaling().presets():
        cells = Scaling().cells(preset)
        for axis in AXES:
            points = {cell.row: cell.study for cell in cells if cell.row.startswith(axis)}
            assert len(points) >= 3
            assert len({str(s.model) for s in points.values()}) == (len(points) if axis == "size" else 1)
            assert len({s.training.steps for s in points.values()}) == (len(points) if axis == "compute" else 1)
    assert isinstance(experiment_named("scaling"), Scaling)


def test_places_on_the_axes_are_counted() -> None:
    places = {cell.row: amount(cell.row.split()[0], cell.study) for cell in Scaling().cells("quick")}
    assert places["size pico"] == 691_744
    assert places["clips 64"] == 64
    assert places["clips 19,200"] == 19_200
    assert places["compute 2,400"] == pytest.approx(8 * places["compute 300"])


def said(rng: np.random.Generator) -> Iterator[tuple[str, list[tuple[Score, ...]]]]:
    """Make answers that improve with size inside, and nowhere else."""
    for cell in Scaling().cells("quick"):
        size = amount("size", cell.study)
        inside, outside = (scale * rng.lognormal(0, 0.1, 30) for scale in (1e3 / size, (size / 1e5) ** 0.5))
        found = [(score("leap error, inside", "", inside), score("leap error, outside", "", outside))]
        yield cell.row, found * 2


def test_the_findings_say_what_falls_and_what_does_not() -> None:
    text = Scaling().findings("quick", dict(said(np.random.default_rng(0))))
    falls, stays = (line for line in text.splitlines() if line.startswith(("Falls:", "Does not")))
    assert "leap error, inside with size" in falls
    assert "leap error, outside with size" in stays
    assert "leap error, inside with clips" in stays


def test_only_diffusion_models_are_asked() -> None:
    model = GenieConfig().build(seeded(0))
    with pytest.raises(BadInputError, match="asks diffusion models, got Genie"):
        Scaling().ask(Scaling().cells("quick")[0].study, model)
