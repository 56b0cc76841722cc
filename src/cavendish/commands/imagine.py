"""`cavendish imagine RUN`: let a trained model continue true beginnings, and save what it dreams.

With --image, --clip, --caption, --size, --duration or --how it answers a prompt instead (`prompting`).

`cavendish imagine KIT --pipeline FOLDER` lets an image-to-video pipeline answer a prompt kit.
"""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

from cavendish.artefact import committed_folder
from cavendish.commands.films import Format, check_request, commit_answers, commit_films
from cavendish.commands.prompting import Asked, answer
from cavendish.data import Split
from cavendish.data.kit import read_kit
from cavendish.data.media import write_clip
from cavendish.errors import BadInputError
from cavendish.models.animator import Animator
from cavendish.models.diffusion import Diffusion
from cavendish.studies import load, read_study
from cavendish.studies.pretrained import pretrained
from cavendish.training import seeded


@dataclass(frozen=True)
class Options:
    """Let a trained run continue true beginnings."""

    run: tyro.conf.Positional[Path | None] = None
    """Run folder of `cavendish run` or `cavendish train`; with --pipeline, a prompt kit; none with --pretrained."""
    pretrained: str | None = None
    """Name of a model that comes with the package, instead of a run."""
    pipeline: Path | None = None
    """Folder of a diffusers image-to-video pipeline that answers the kit (extra `diffusers`)."""
    steps: int | None = None
    """With --pipeline or a prompt: denoising steps; by default the pipeline's or the run's own."""
    region: str = "interpolation"
    """Where the beginnings are drawn from."""
    count: int = 8
    """Number of clips."""
    out: Path = Path("imagined")
    """New folder for the clips, the true states.npz and sheet.png."""
    format: Format = "mp4"
    """Lossless H.264 in RGB, animated GIF, or one folder of PNG images per clip."""
    seed: int = 1
    """Seed of the beginnings and of the dream."""
    asked: Annotated[Asked, tyro.conf.arg(name="")] = field(default_factory=Asked)

    def source(self) -> Path:
        """Return the folder of the model, or of the kit."""
        if (self.run is None) == (self.pretrained is None):
            raise BadInputError("expected a run folder, or --pretrained NAME; one of them")
        return self.run or pretrained(self.pretrained or "")


def main(arguments: list[str]) -> None:
    """Imagine, save, and say where."""
    options = tyro.cli(Options, args=arguments, prog="cavendish imagine")
    if options.pipeline is not None:
        _answer(options, options.pipeline)
        return
    folder = options.source()
    study = read_study(folder)
    check_request(options.count, options.out)
    model = load(folder)
    data = study.data.lead
    scene = data.scene
    if options.asked != Asked():
        if not isinstance(model, Diffusion):
            raise BadInputError(f"{folder}: this model answers no prompts")
        steps = model.config.steps if options.steps is None else options.steps
        answers = answer(options.asked, study, model, options.count, (steps, options.seed))
        commit_answers(options.out, answers, options.format)
        sys.stdout.write(f"{options.count} answers of {answers.frames.shape[1]} frames in {options.out}\n")
        return
    if options.steps is not None:
        raise BadInputError("--steps belongs to a prompt or to --pipeline: ask with --caption, --image, --clip, ...")
    if not isinstance(study.data, Split):
        raise BadInputError(f"{folder}: taught a blend of worlds; ask with --caption, --image or --clip")
    split = Split(scene, options.region, options.count, options.seed, data.picture, data.flip)
    clip = split.clips(np.arange(options.count))
    dreams = model.imagine(clip.first(scene.context), scene.frames - scene.context, seeded(options.seed))
    try:
        film = dreams.film.numpy()
    except BadInputError as error:
        raise BadInputError(f"{folder}: {error}") from None
    commit_films(options.out, film, clip.truth, scene, options.format)
    sys.stdout.write(f"{options.count} imagined clips ({options.region}) in {options.out}\n")


def _answer(options: Options, pipeline: Path) -> None:
    """Let a pipeline continue every first frame of a kit, and save its films under the prompts' names."""
    kit = read_kit(options.source())
    check_request(len(kit.prompts), options.out)
    animator = Animator(pipeline, options.steps)
    with committed_folder(options.out) as private:
        for number, (prompt, given) in enumerate(zip(kit.prompts, kit.contexts(), strict=True)):
            generator = seeded(options.seed, number)
            film = animator.animate(given[0], prompt.caption, kit.frames, kit.fps, generator)
            write_clip(film, private / prompt.name, options.format, kit.fps)
    sys.stdout.write(f"{len(kit.prompts)} answers of {pipeline} in {options.out}\n")
