"""Result files -> one self-contained page, and the same verdict as a table for the terminal."""

import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from rich.table import Table

from cavendish.artefact import commit_file, read_json
from cavendish.errors import BadInputError
from cavendish.measure.copying import OFF, speeds
from cavendish.measure.discovery import Discovery
from cavendish.measure.distance import CurvePoint, error_curve
from cavendish.measure.results import MODEL, RESULTS, Results, read_results
from cavendish.measure.score import Score
from cavendish.measure.statistics import paired
from cavendish.measure.verdict import HEADLINE, INSIDE, Verdict, judge
from cavendish.report.figures import attraction, comparison, curves, training_curve
from cavendish.report.films import Film, films
from cavendish.scenes import SCENES, Factor, Scene
from cavendish.training.log import read_log


@dataclass(frozen=True)
class LawFound:
    """A law, and where and of whom it was read."""

    region: str
    who: str
    law: Discovery


@dataclass(frozen=True)
class RunFiles:
    """What a run folder says about itself."""

    folder: Path
    study: dict[str, Any]
    machine: dict[str, Any]
    results: Results
    scene: type[Scene]

    @property
    def verdict(self) -> Verdict:
        """Return the judgement on this run."""
        return judge(self.results)

    @property
    def laws(self) -> list[LawFound]:
        """Return every law that was read, region by region."""
        entries = [(region.region, entry) for region in self.results.regions for entry in region.entries]
        return [LawFound(region, entry.who, entry.law) for region, entry in entries if entry.law is not None]

    def headline(self, region: str) -> str:
        """Return the model's headline score of a region, or a dash where it was not weighed there."""
        for result in self.results.regions:
            if result.region == region:
                return interval_text(result.of(MODEL)[HEADLINE])
        return "-"


def read_run(folder: Path) -> RunFiles:
    """Read a finished run."""
    if not folder.is_dir():
        raise BadInputError(f"{folder}: no such run folder")
    study = read_json(folder / "study.json")
    kind = next(scene for scene in SCENES if scene.__name__ == study["data"]["scene"]["type"])
    return RunFiles(folder, study, read_json(folder / "machine.json"), read_results(folder), kind)


def verdict_table(folder: Path) -> Table:
    """Lay the verdict out for a terminal: a row per region, the model beside its controls."""
    run = read_run(folder)
    controls = [entry.who for entry in run.results.regions[0].entries if entry.who != MODEL]
    title = f"{run.study['name']}: {HEADLINE}, in m/s (95 % interval)"
    table = Table("region", MODEL, *controls, "lost", "case index", title=title, caption=run.verdict.sentence)
    for region in run.results.regions:
        model = region.of(MODEL)
        cells = [f"{region.of(name)[HEADLINE].value:.2g}" for name in controls]
        lost = f"{100 * model['lost share'].value:.1f} %"
        index = f"{model.copying.value:.2f}" if model.copying.n else "none"
        table.add_row(region.region, interval_text(model[HEADLINE]), *cells, lost, index)
    return table


def write_report(folders: list[Path], page: Path) -> Path:
    """Write the page of a run; further runs join its comparison table. Return the page's path."""
    if not folders:
        raise BadInputError("report: no run folder given")
    runs = [read_run(folder) for folder in folders]
    first = runs[0]
    environment = templates()
    log = read_log(first.folder / "log.jsonl")
    html = environment.get_template("page.html.j2").render(
        runs=runs,
        run=first,
        headline=HEADLINE,
        model=MODEL,
        comparison=comparison(first.results, HEADLINE),
        curves=curves(_curves(first)),
        laws=first.laws,
        pull=_pull(first),
        ahead=_ahead(first.results),
        training=training_curve(log),
        films=_films(first),
        study=json.dumps(first.study, indent=1),
        last=log[-1] if log else {},
        version=version("cavendish"),
    )
    commit_file(page, html.encode())
    return page


def templates() -> jinja2.Environment:
    """Return the templates of all pages; a name that is missing is an error."""
    loader = jinja2.PackageLoader("cavendish.report", ".")
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
    environment.filters["interval"] = interval_text
    return environment


def interval_text(score: Score) -> str:
    """Write a score with its interval, to two figures."""
    if score.n == 0:
        return "none"
    if score.low != score.low:  # one value has no interval
        return f"{score.value:.2g}"
    return f"{score.value:.2g} ({score.low:.2g} to {score.high:.2g})"


def _films(run: RunFiles) -> list[Film]:
    names = [factor.name for factor in run.scene.factors]
    return [film for r in run.results.regions for film in films(run.folder, r.region, run.scene.world, names)]


def _curves(run: RunFiles) -> list[tuple[str, Factor, list[CurvePoint], list[CurvePoint]]]:
    """Build a curve for every single factor that was weighed outside its range."""
    weighed = [region.region for region in run.results.regions]
    made = []
    for outside in weighed:
        if INSIDE not in weighed or not outside.startswith("ood-") or outside == "ood-both":
            continue
        number, factor = next((k, f) for k, f in enumerate(run.scene.factors) if outside in f.ranges)
        used = [INSIDE, outside]
        values = np.concatenate([_factors(run.folder, region)[:, number] for region in used])
        lines = [
            error_curve(factor, values, _joined(run.results, used, who, HEADLINE)) for who in (MODEL, "nearest case")
        ]
        made.append((factor.name.replace("_", " "), factor, lines[0], lines[1]))
    return made


def _pull(run: RunFiles) -> str:
    """Draw how far speeds are off the truth over the true speed, inside and outside the taught range."""
    used = [r.region for r in run.results.regions if r.region == INSIDE or r.region.startswith("ood-velocity")]
    drawn = []
    for speed in speeds(run.scene.factors) if used else []:
        name = OFF if speed.name == "velocity" else f"{OFF}, {speed.name}"
        asked = [s for s in run.results.regions[0].of(MODEL).scores if s.name == name]
        if asked and any(run.results.of(region).of(MODEL)[name].n for region in used):
            column = run.scene.factors.index(speed)
            values = np.concatenate([_factors(run.folder, region)[:, column] for region in used])
            lines = {who: _joined(run.results, used, who, name) for who in (MODEL, "nearest case")}
            taught = {who: error_curve(speed, values, line) for who, line in lines.items()}
            drawn.append(attraction(speed, run.study["data"]["region"], taught))
    return "".join(drawn)


def _ahead(results: Results) -> str:
    """Say which violations the model tells better than every baseline, pair by pair."""
    said = []
    for score in results.surprise[0].scores if results.surprise else ():
        if score.name.endswith("accuracy"):
            best = [paired(score, other[score.name]).low for other in results.surprise[1:]]
            said += [score.name.removesuffix(", accuracy")] if min(best) > 0 else []
    return f"Ahead of every baseline, pair by pair (95 %): {'; '.join(said) or 'none'}."


def law_lines(folder: Path) -> list[str]:
    """Write the law that the model's imagination obeys inside the taught ranges, beside the true one."""
    found = [f for f in read_run(folder).laws if f.who == MODEL]
    return [f"law it obeys in {f.region}: {f.law.printed_law} ({f.law.verdict})" for f in found] + [
        f"true law: {f.law.true_law}" for f in found[:1]
    ]


def _joined(
    results: Results, regions: list[str], who: str, name: str
) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    return np.concatenate([np.array(results.of(region).of(who)[name].values) for region in regions])


def _factors(folder: Path, region: str) -> "np.ndarray[tuple[int, int], np.dtype[np.float64]]":
    with np.load(folder / RESULTS / f"{region}.npz", allow_pickle=False) as stored:
        return np.asarray(stored["factors"])
