"""The front door: every command works, every mistake is one clear line and its exit code."""

import errno
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cavendish.artefact import commit_file, committed_folder, sole_writer, verify_folder
from cavendish.cli import COMMANDS, call
from cavendish.errors import BadInputError, DiskError
from cavendish.scenes import SCENES

FIELDS = {
    "data.picture.height": 16,
    "data.picture.width": 16,
    "training.steps": 2,
    "training.batch": 2,
    "weighing.clips": 2,
    "weighing.cases": 20,
    "weighing.regions": "interpolation",
}
SMALL = [word for field, value in FIELDS.items() for word in (f"--{field}", str(value))]


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"\n  {name}" in text for name in COMMANDS)


@pytest.mark.parametrize("command", list(COMMANDS))
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [command, "uniform-quick", "--help"] if command in ("train", "plan") else [command, "--help"]
    with pytest.raises(SystemExit) as stop:
        call(arguments)
    assert stop.value.code == 0
    assert "usage" in capsys.readouterr().out


def test_scenes_are_listed_with_their_laws(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["scenes", "--json"]) == 0
    cards = json.loads(capsys.readouterr().out)
    assert {card["name"] for card in cards} == {scene.name() for scene in SCENES}
    assert all(card["law"] and card["factors"] and card["regions"][0] == "train" for card in cards)
    assert call(["scenes"]) == 0
    assert "radius [m]: train 0.7 to 1.4" in capsys.readouterr().out


def test_listing_scenes_does_not_wait_for_torch() -> None:
    program = "import sys; from cavendish.cli import call; call(['scenes']); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=False).returncode == 0


def test_rendered_films_are_measured_as_true(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    films = tmp_path / "films"
    assert call(["render", "parabola", "--count", "3", "--out", str(films), "--size", "64"]) == 0
    with np.load(films / "states.npz") as states:
        assert states["position"].shape == (3, 32, 1, 2)
        assert list(states["factor_names"]) == ["radius", "velocity", "x", "y"]
        assert np.allclose(states["time"], np.arange(32) * 0.1)
    assert (films / "sheet.png").stat().st_size > 0
    verify_folder(films)
    assert call(["measure", str(films), "--scene", "parabola", "--out", str(tmp_path / "card")]) == 0
    scores = {s["name"]: s for s in json.loads((tmp_path / "card" / "scorecard.json").read_text())["scores"]}
    assert scores["velocity error x, time mean"]["value"] < 0.002
    assert scores["lost share"]["value"] == 0
    capsys.readouterr()


def test_a_study_goes_through_all_its_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = tmp_path / "runs"
    assert call(["train", "uniform-quick", "--out", str(runs), *SMALL]) == 0
    assert call(["run", "--out", str(runs), *SMALL]) == 0
    (folder,) = [path for path in runs.iterdir() if path.is_dir()]
    assert (folder / "report.html").exists()
    assert call(["imagine", str(folder), "--count", "2", "--out", str(tmp_path / "dreams"), "--format", "png"]) == 0
    assert call(["measure", str(tmp_path / "dreams"), "--scene", "uniform-motion"]) == 0
    assert call(["report", str(folder), "--out", str(tmp_path / "page.html")]) == 0
    assert call(["tensorboard", str(folder)]) == 0
    assert list((folder / "tensorboard").glob("events*"))
    assert call(["plan", "uniform-quick", *SMALL]) == 0
    assert "training FLOPs" in capsys.readouterr().out


MISTAKES = [
    (["rnu"], "did you mean 'run'"),
    (["run", "--study", "uniform-quik"], "did you mean 'uniform-quick'"),
    (["render", "parabolla"], "did you mean 'parabola'"),
    (["render", "parabola", "--region", "ood"], "unknown region"),
    (["render", "parabola", "--count", "0", "--out", "never"], "count = 0"),
    (["render", "parabola", "--size", "0", "--out", "never"], "frame size"),
    (["imagine", "nowhere"], "nowhere: no such run folder"),
    (["report", "nowhere"], "nowhere: no such run folder"),
    (["measure", "nowhere", "--scene", "parabola"], "no such folder"),
    (["run", "--training.steps", "0"], "steps"),
    (["run", "--model.size", "gigantic"], "unknown model size"),
]


@pytest.mark.parametrize(
    ("arguments", "named"), MISTAKES, ids=lambda value: " ".join(value) if isinstance(value, list) else None
)
def test_a_mistake_is_one_clear_line_and_exit_code_2(
    arguments: list[str],
    named: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        code = call(arguments)
    except SystemExit as stop:  # the option parser's own refusals
        code = int(stop.code or 0)
    complaint = capsys.readouterr().err
    assert code == 2
    assert named in complaint
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["render", "parabola", "--out", str(tmp_path)]) == 2
    assert "exists already" in capsys.readouterr().err


def test_a_run_folder_with_a_foreign_study_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "study.json").write_text('{"type": "Study", "nmae": "x"}')
    assert call(["imagine", str(tmp_path)]) == 2
    assert "did you mean 'name'" in capsys.readouterr().err
    (tmp_path / "study.json").write_text("{")
    assert call(["imagine", str(tmp_path)]) == 3


@pytest.fixture
def mounted(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """Mount a small file system with the given options, where this machine allows it."""
    small = tmp_path / "small"
    small.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", request.param, "tmpfs", str(small)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a file system needs root")
    yield small
    subprocess.run(["umount", "--lazy", str(small)], check=True)


@pytest.mark.parametrize("mounted", ["size=256k"], indirect=True)
def test_a_full_disk_leaves_nothing_half_written(mounted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["render", "parabola", "--count", "30", "--out", str(mounted / "films")]) == 4
    complaint = capsys.readouterr().err
    assert complaint.count("\n") == 1
    assert "films" in complaint
    assert list(mounted.iterdir()) == []
    assert call(["train", "uniform-quick", "--out", str(mounted), *SMALL]) == 4
    assert "disk is full" in capsys.readouterr().err
    assert not list(mounted.rglob(".tmp-*"))
    assert not list(mounted.rglob("step-*"))


@pytest.mark.parametrize("mounted", ["ro"], indirect=True)
def test_a_read_only_folder_is_named(mounted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["render", "parabola", "--out", str(mounted / "films")], ["run", "--out", str(mounted), *SMALL]):
        assert call(command) == 4
        assert "read-only" in capsys.readouterr().err


def test_a_folder_that_may_not_be_written_is_a_disk_error(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    with pytest.raises(DiskError, match="cannot write"):
        commit_file(blocked / "below" / "scores.json", b"")


def test_a_failed_write_leaves_no_folder(tmp_path: Path) -> None:
    def write() -> None:
        with committed_folder(tmp_path / "out") as private:
            (private / "half").write_text("half")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(DiskError, match="disk is full"):
        write()
    assert list(tmp_path.iterdir()) == []


def test_a_second_writer_is_refused_at_once(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from cavendish.artefact import sole_writer\n"
        f"with sole_writer(Path({str(tmp_path)!r})): print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(BadInputError, match="another process"), sole_writer(tmp_path):
            pass
        holder.communicate()
    with sole_writer(tmp_path):
        pass


def test_ctrl_c_ends_a_command_in_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(arguments: list[str]) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cavendish.commands.scenes.main", interrupted)
    assert call(["scenes"]) == 130
    assert capsys.readouterr().err == "cavendish: interrupted\n"
