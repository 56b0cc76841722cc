"""What the README and the examples say works as they say it."""

import os
import re
import runpy
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

from cavendish.cli import COMMANDS, call
from cavendish.data import Recording
from cavendish.studies import STUDIES, pretrained
from cavendish.studies.experiments import EXPERIMENTS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
SHELL = [
    line.split("  #")[0].strip()
    for block in re.findall(r"```sh\n(.*?)```", README, re.S)
    for line in block.splitlines()
]
QUICK = [line for line in SHELL if re.match(r"cavendish (scenes|render)", line)]


@pytest.mark.parametrize("line", QUICK)
def test_readme_commands_run(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert call(shlex.split(line)[1:]) == 0


def test_readme_names_only_commands_studies_and_targets_that_exist() -> None:
    named = {words[1] for words in map(str.split, SHELL) if words and words[0] == "cavendish"}
    assert named <= set(COMMANDS)
    known = {*STUDIES, *(experiment.name for experiment in EXPERIMENTS), *pretrained.names()}
    assert set(re.findall(r"\b[a-z][a-z-]*-quick\b", README)) <= known
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.M))
    assert set(re.findall(r"`?make (\w+)", README)) <= targets


def test_readme_python_runs() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.S)
    names: dict[str, object] = {}
    exec(compile(code, "README.md", "exec"), names)  # our own text
    assert names["clip"].trajectory.position.shape == (32, 1, 2)


def test_readme_file_tree_is_the_tree() -> None:
    (tree,) = re.findall(r"```\nsrc/cavendish/\n(.*?)```", README, re.S)
    inside = {line.split()[0].rstrip("/") for line in tree.splitlines() if line.startswith("  ")}
    assert inside == {p.name for p in (ROOT / "src" / "cavendish").iterdir()} - {"__pycache__", "__init__.py"}
    assert all((ROOT / line.split()[0]).exists() for line in tree.splitlines() if not line.startswith("  "))


def test_readme_picture_is_there() -> None:
    assert all((ROOT / path).exists() for path in re.findall(r"!\[.*?\]\((.*?)\)", README))


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.stem)
def test_examples_run(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(path.read_text().splitlines()) < 60
    runpy.run_path(str(path))
    printed = capsys.readouterr().out
    assert printed
    if path.stem == "throw_a_ball":
        measured = re.search(r"g = ([\d.]+)", printed)
        assert measured is not None
        assert abs(float(measured[1]) - 2.5) < 0.0125


def test_the_version_is_said_once() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] not in README


@pytest.mark.slow
def test_a_robot_arm_is_filmed_and_its_films_are_lessons(tmp_path: Path) -> None:
    pytest.importorskip("mujoco")
    script = [sys.executable, str(ROOT / "examples" / "robot_arm" / "record.py"), str(tmp_path / "arm")]
    filmed = subprocess.run(
        [*script, "--films", "2", "--frames", "24"],
        env=os.environ | {"MUJOCO_GL": "egl"},
        capture_output=True,
        text=True,
        check=False,
    )
    if filmed.returncode and "gl" in filmed.stderr.lower():
        pytest.skip("no picture can be drawn here without a screen")
    assert filmed.returncode == 0, filmed.stderr
    clip = Recording(str(tmp_path / "arm")).clips(np.arange(8))
    assert clip.actions is not None
    assert set(clip.actions.unique().tolist()) <= set(range(5))
    assert ((clip.frames[:, 1:] != clip.frames[:, :-1]).flatten(2).any(2)).float().mean() > 0.9
