"""Three schools on one ruler: pixels denoised, symbols guessed, embeddings foretold; same worlds, films and price.

Every school sees films of the same split (the radii and speeds of the training range, with a gap in the speeds where a
world has such a lesson), at the same number of training operations (`schools`), and sits the same exam (`sitting`). So
do those whose marks are known: Oracle, Coast, Freeze, NearestCase, and pupils who learn from true states instead of
films (`state_pupils`). A world with distractors is the same world before a drifting and flickering background.
Lie detector: a world that falls up; what is read of its cells must be that law, and no other.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, final

from cavendish.data import Picture, Split
from cavendish.data.backdrop import Backdrop
from cavendish.errors import unknown
from cavendish.measure.score import Score
from cavendish.models import WorldModel
from cavendish.scenes import AnyScene, Collision, Occlusion, Orbit, Parabola, UniformMotion
from cavendish.studies.controls import Coast, Dreamer, Freeze, NearestCase, Oracle, reader_of
from cavendish.studies.experiment import AT, Cell, Contrast, Experiment, Row, Trial, compared
from cavendish.studies.schools import LAPTOP, LARGE, PAPER, QUICK, School, cost
from cavendish.studies.sighted import sighted
from cavendish.studies.sitting import CASES, EXPECTING, Pupil, Sitting
from cavendish.studies.state_pupils import StatePupil, taught
from cavendish.studies.study import Study, Weighing

GAP = "gap-2-3"
KNOWN = ("oracle", "coast", "freeze", "nearest case")
STATES = (StatePupil("linear"), StatePupil("mlp", steps=1000), StatePupil("transformer", steps=1000))
JUDGED = ("inside: position error", "outside: position error")


@final
@dataclass(frozen=True)
class World:
    """What is taught, under a name of its own."""

    name: str
    scene: AnyScene
    distractors: int = 0  # of two: waves that drift, then texture that flickers

    def split(self, side: int) -> Split:
        """Return what is taught, filmed so many pixels wide."""
        backdrop = Backdrop(noise=0.15 * (self.distractors > 1), drift=0.3) if self.distractors else None
        region = GAP if GAP in self.scene.regions() else "train"
        flip = 0.0 if self.scene.handed else 0.5
        return Split(self.scene, region, 3_000_000, picture=Picture(side, side, backdrop), flip=flip)


UNIFORM, FALLING = World("uniform motion", UniformMotion()), World("parabola", Parabola())
DISTRACTED = World("uniform motion, two distractors", UniformMotion(), 2)
LIE = World("falls up (lie detector)", Parabola(gravity=-2.5))
REST = (World("collision", Collision()), World("orbit", Orbit()), World("occlusion", Occlusion()))
ALL = (UNIFORM, FALLING, *REST, DISTRACTED)
ONE = World("uniform motion, one distractor", UniformMotion(), 1)


@final
@dataclass(frozen=True)
class Known:
    """A pupil whose marks are known beforehand, or who is told true states, of one world."""

    data: Split
    who: str | StatePupil
    clips: int
    seed: int = 0

    def pupil(self) -> Pupil:
        """Return who answers; the oracle alone looks at the truth."""
        scene, reader = self.data.scene, reader_of(self.data)
        if self.who == "oracle":
            return lambda truth: Oracle(scene, truth, 0.0)
        made: Dreamer
        if isinstance(self.who, StatePupil):
            made = taught(self.who, self.data, self.seed)
        elif self.who == "coast":
            made = Coast(scene, reader)
        elif self.who == "freeze":
            made = Freeze()
        elif self.who == "nearest case":
            made = NearestCase(self.data, CASES, reader)
        else:
            raise unknown("pupil", self.who, KNOWN)
        return lambda truth: made


@final
@dataclass(frozen=True)
class Grid:
    """The size of a preset: worlds, those with one seed, schools, seeds, pixels across a frame, clips of an exam."""

    worlds: tuple[World, ...]
    once: tuple[World, ...]
    schools: tuple[School, ...]
    seeds: int
    side: int
    clips: int

    def cells(self) -> Iterator[Cell | Trial]:
        """Yield the schools seed by seed, then who is told states, then who is known."""
        every = [(seed, world) for seed in range(self.seeds) for world in self.worlds + self.once * (seed == 0)]
        for seed, world in every:
            for school in self.schools:
                exam = Weighing(("interpolation",), self.clips, CASES)
                data = world.split(self.side)
                study = Study(f"paradigms-{school.name}", data, school.model, school.training, exam, seed)
                yield Cell(world.name + AT + school.name, study)
        for who, (seed, world) in ((who, at) for who in STATES for at in every):
            if not world.distractors and world is not LIE:  # a background is none to who is told states
                yield Trial(f"{world.name}{AT}{who.kind}, states", Known(world.split(self.side), who, self.clips, seed))
        for name, world in ((name, world) for name in KNOWN for world in self.worlds + self.once):
            yield Trial(world.name + AT + name, Known(world.split(self.side), name, self.clips))


GRIDS = {
    "quick": Grid((UNIFORM, DISTRACTED), (FALLING, *REST, LIE), QUICK, 3, 32, 48),
    "laptop": Grid(ALL, (LIE,), LAPTOP, 3, 32, 48),
    "h100": Grid((*ALL, ONE), (LIE,), LARGE, 5, 64, 256),
    "paper": Grid((*ALL, ONE), (LIE,), PAPER, 5, 128, 512),
}


@final
class Paradigms(Experiment):
    """Pixels, symbols or embeddings: the same worlds, the same films, the same number of training operations.

    Errors are in metres and better when smaller; AUROC is better when larger; constants of a law stand beside those of
    the oracle, whose errors are the ruler's. A case index of 0 follows the truth, of 1 replays the nearest taught clip.
    `rise` is the mean upward acceleration of what was dreamt, which needs no law to be found. In the rows of surprise,
    freeze stands for frame difference and coast for linear prediction. "none": nothing to ask (no gap in the lessons,
    a ball that has left the view) or nothing found. Laws are written out under each table, one for every seed.
    """

    name: ClassVar = "paradigms"
    question: ClassVar = "which school learns the law, at the same price?"

    def presets(self) -> dict[str, tuple[Cell | Trial, ...]]:
        """Lay out every grid."""
        return {preset: tuple(grid.cells()) for preset, grid in GRIDS.items()}

    def hear(self, study: Study, model: WorldModel) -> Row:
        """Let a school sit the exam, and keep the law that was read."""
        asked = Sitting(study.data.lead, study.weighing.clips, study.weighing.seed)
        school = sighted(study.data.lead, model)
        scores, said = asked.sat(lambda truth: school)
        return Row(study.name, (*cost(study, model), *scores, *asked.surprise(school)), said)

    def attempt(self, trial: Trial) -> Row:
        """Let a pupil whose marks are known sit the same exam."""
        known: Known = trial.setting
        asked = Sitting(known.data, known.clips)
        scores, said = asked.sat(known.pupil())
        judge = EXPECTING.get(known.who) if isinstance(known.who, str) else None
        return Row(trial.row, (*cost(None, None), *scores, *asked.surprise(judge)), said)

    def findings(self, preset: str, answers: Mapping[str, Sequence[tuple[Score, ...]]]) -> str:
        """Compare every two schools, inside and outside, in every world of several seeds."""
        grid = GRIDS[preset]
        names = [school.name for school in grid.schools]
        pairs = [(ours, theirs) for k, ours in enumerate(names) for theirs in names[k + 1 :]]
        worlds = [world.name + AT for world in grid.worlds]
        asked = (Contrast(w + a, w + b, what) for w in worlds for what in JUDGED for a, b in pairs)
        return compared(asked, answers)
