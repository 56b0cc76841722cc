"""What leaves the laboratory comes back as it was, in every format, however often the writer was stopped."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pyarrow.parquet
import pytest
import torch

from cavendish.artefact import sole_writer, verify_folder
from cavendish.cli import call
from cavendish.data import Picture, Split
from cavendish.data.export import (
    FORMATS,
    Export,
    Format,
    Mp4,
    Parquet,
    Phyworld,
    WebDataset,
    export,
    one_by_one,
    read_export,
    through_ray,
)
from cavendish.data.export.phyworld import read_study
from cavendish.errors import BadInputError, CorruptDataError
from cavendish.measure import scorecard
from cavendish.motion import Trajectory
from cavendish.readout import Reader
from cavendish.scenes import Collision, Parabola

SPLIT = Split(Collision(), size=5, picture=Picture(32, 32), seed=3)


@pytest.fixture(params=FORMATS, ids=lambda kind: kind.name())
def job(request: pytest.FixtureRequest) -> Export:
    """Every format in turn, five clips in shards of two."""
    return Export(SPLIT, request.param(), 2)


def batch(clips: Iterator) -> tuple[np.ndarray, Trajectory]:
    """Gather single clips."""
    found = list(clips)
    fields = ("position", "velocity", "radius", "confidence", "factors")
    states = [np.stack([getattr(clip.trajectory, name) for clip in found]) for name in fields]
    return torch.stack([clip.frames for clip in found]).numpy(), Trajectory(found[0].trajectory.time, *states)


def tree(folder: Path) -> dict[str, bytes]:
    """Return every file of an export."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name != ".lock"}


def test_what_was_exported_measures_as_in_memory(job: Export, tmp_path: Path) -> None:
    assert export(job, tmp_path / "set", one_by_one) == 3
    verify_folder(tmp_path / "set")
    frames, truth = batch(read_export(tmp_path / "set"))
    memory = SPLIT.clips(np.arange(SPLIT.size))
    assert memory.trajectory is not None
    assert np.array_equal(frames, memory.frames.numpy())
    reader = Reader.of(SPLIT.scene.draw(truth))
    again = scorecard(SPLIT.scene, truth, reader.read(frames, truth.time))
    direct = scorecard(SPLIT.scene, memory.trajectory, reader.read(memory.frames.numpy(), truth.time))
    assert repr(again) == repr(direct)


def test_an_interrupted_export_resumes_to_identical_files(
    job: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export(job, tmp_path / "whole", one_by_one)
    original = type(job.format).write

    def stopped(self: Format, job: Export, number: int, folder: Path) -> None:
        original(self, job, number, folder)
        if number == 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(type(job.format), "write", stopped)
        with pytest.raises(KeyboardInterrupt):
            export(job, tmp_path / "cut", one_by_one)
    assert not (tmp_path / "cut" / "MANIFEST.json").exists()
    with pytest.raises(BadInputError, match="not finished"):
        read_export(tmp_path / "cut")
    assert export(job, tmp_path / "cut", one_by_one) == 2  # the first shard was done
    assert tree(tmp_path / "cut") == tree(tmp_path / "whole")
    assert export(job, tmp_path / "cut", one_by_one) == 0


def test_a_killed_export_resumes_to_identical_files(tmp_path: Path) -> None:
    words = ["export", "collision", "--format", "webdataset", "--count", "60", "--shard", "5", "--size", "64", "--out"]
    program = "import sys; from cavendish.cli import main; main()"
    with subprocess.Popen([sys.executable, "-c", program, *words, str(tmp_path / "cut")]) as writer:
        while not (tmp_path / "cut" / ".shards" / "00001.json").exists():
            time.sleep(0.005)
            assert writer.poll() is None
        writer.send_signal(signal.SIGKILL)
    assert not (tmp_path / "cut" / "MANIFEST.json").exists()
    assert call([*words, str(tmp_path / "cut")]) == 0
    assert call([*words, str(tmp_path / "whole")]) == 0
    assert tree(tmp_path / "cut") == tree(tmp_path / "whole")


def test_shards_do_not_depend_on_who_writes_them(tmp_path: Path) -> None:
    job = Export(SPLIT, WebDataset(), 2)
    export(job, tmp_path / "here", one_by_one)
    export(job, tmp_path / "backwards", lambda job, folder, missing: one_by_one(job, folder, missing[::-1]))
    assert tree(tmp_path / "here") == tree(tmp_path / "backwards")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_cluster_writes_the_same_files(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    job = Export(SPLIT, WebDataset(), 2)
    export(job, tmp_path / "here", one_by_one)
    assert export(job, tmp_path / "cluster", through_ray("local")) == 3
    assert tree(tmp_path / "here") == tree(tmp_path / "cluster")


def test_a_second_writer_is_refused_within_a_second(tmp_path: Path) -> None:
    job = Export(SPLIT, WebDataset(), 2)
    with sole_writer(tmp_path / "set"):
        begun = time.perf_counter()
        with pytest.raises(BadInputError, match="another process"):
            export(job, tmp_path / "set", one_by_one)
        assert time.perf_counter() - begun < 1.0


def test_another_data_set_is_never_written_over(tmp_path: Path) -> None:
    job = Export(SPLIT, Parquet(), 2)
    export(job, tmp_path / "set", one_by_one)
    with pytest.raises(BadInputError, match="another export"):
        export(replace(job, split=replace(SPLIT, seed=4)), tmp_path / "set", one_by_one)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    with pytest.raises(BadInputError, match="exists already"):
        export(job, tmp_path / "mine", one_by_one)


def test_a_damaged_shard_is_named(tmp_path: Path) -> None:
    export(Export(SPLIT, Parquet(), 2), tmp_path, one_by_one)
    (tmp_path / "shard-00001.parquet").write_bytes(b"PAR1")
    with pytest.raises(CorruptDataError, match=r"shard-00001\.parquet"):
        read_export(tmp_path)


def test_the_study_s_own_reader_would_find_its_layout(tmp_path: Path) -> None:
    export(Export(SPLIT, Phyworld(), 2), tmp_path, one_by_one)
    truth = SPLIT.trajectories(np.arange(5))
    with h5py.File(tmp_path / "data.hdf5") as file:
        assert list(file["video_streams"]) == ["00000", "00001", "00002"]
        assert file["position_streams/00000"].shape == (2, 32, 2, 2)
        assert np.array_equal(file["init_streams/00001"], truth.factors[2:4, :4])
        assert file["video_streams/00000"][0].dtype == np.uint8
    frames, positions, first = next(read_study(tmp_path / "data.hdf5"))
    assert np.array_equal(frames, SPLIT[0].frames)
    assert np.array_equal(positions, truth.position[0])
    assert np.array_equal(first, truth.factors[0, :4])
    with pytest.raises(CorruptDataError, match=r"dataset\.json"):
        next(read_study(tmp_path / "dataset.json"))


def test_one_ball_has_no_body_axis_in_the_study_s_layout(tmp_path: Path) -> None:
    export(Export(replace(SPLIT, scene=Parabola()), Phyworld(), 5), tmp_path, one_by_one)
    with h5py.File(tmp_path / "data.hdf5") as file:
        assert file["position_streams/00000"].shape == (5, 32, 2)
        assert file["init_streams/00000"].shape == (5, 2)


@pytest.mark.filterwarnings("ignore")
def test_webdataset_reads_the_tars(tmp_path: Path) -> None:
    import webdataset

    export(Export(SPLIT, WebDataset(), 2), tmp_path, one_by_one)
    samples = list(webdataset.WebDataset(str(tmp_path / "shard-{00000..00002}.tar"), shardshuffle=False).decode())
    assert [sample["__key__"] for sample in samples] == [f"{index:07d}" for index in range(5)]
    assert np.array_equal(samples[4]["npz"]["position"], SPLIT.trajectories(np.array([4])).position[0])


def test_lerobot_paths_and_counts_agree_with_its_description(tmp_path: Path) -> None:
    assert (
        call(["export", "collision", "--format", "lerobot", "--count", "5", "--shard", "2", "--out", str(tmp_path)])
        == 0
    )
    info = json.loads((tmp_path / "meta" / "info.json").read_text())
    assert info["codebase_version"] == "v3.0"
    episodes = [
        row
        for path in sorted((tmp_path / "meta/episodes/chunk-000").iterdir())
        for row in pyarrow.parquet.read_table(path).to_pylist()
    ]
    assert [row["episode_index"] for row in episodes] == list(range(info["total_episodes"]))
    assert episodes[-1]["dataset_to_index"] == info["total_frames"] == 160
    for row in episodes:
        where = {"chunk_index": row["data/chunk_index"], "file_index": row["data/file_index"]}
        table = pyarrow.parquet.read_table(tmp_path / info["data_path"].format(**where)).to_pylist()
        assert (tmp_path / info["video_path"].format(video_key="observation.image", **where)).exists()
        mine = [frame for frame in table if frame["episode_index"] == row["episode_index"]]
        assert len(mine) == row["length"]
        assert mine[0]["index"] == row["dataset_from_index"]
        assert len(mine[0]["observation.state"]) == info["features"]["observation.state"]["shape"][0]


def test_4_2_0_is_warned_of_and_moves_edges(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["export", "collision", "--format", "mp4", "--count", "5", "--seed", "3", "--size", "32", "--out"]
    assert call([*words, str(tmp_path / "small"), "--pixels", "yuv420"]) == 0
    assert "move" in capsys.readouterr().err
    assert call([*words, str(tmp_path / "exact")]) == 0
    assert capsys.readouterr().err == ""
    truth = SPLIT.clips(np.arange(5)).frames.numpy().astype(int)
    small, exact = (batch(read_export(tmp_path / name))[0] for name in ("small", "exact"))
    assert np.array_equal(exact, truth)
    assert np.abs(small - truth).max() > 30
    assert call(["measure", str(tmp_path / "exact"), "--scene", "collision"]) == 0


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--format", "hdf4", "--count", "1"], "unknown format 'hdf4'"),
        (["--format", "parqet", "--count", "1"], "did you mean 'parquet'"),
        (["--format", "png", "--count", "1", "--pixels", "yuv420"], "always exact"),
        (["--format", "mp4", "--count", "0"], "split size = 0"),
        (["--format", "mp4", "--count", "1", "--size", "0"], "frame size"),
        (["--format", "mp4", "--count", "1", "--shard", "0"], "shard = 0"),
    ],
)
def test_an_impossible_export_is_one_clear_line(
    words: list[str], named: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(["export", "parabola", *words, "--out", str(tmp_path / "set")]) == 2
    complaint = capsys.readouterr().err
    assert complaint.count("\n") == 1
    assert named in complaint
    assert list(tmp_path.iterdir()) == []


def test_the_default_is_exact() -> None:
    assert Mp4() == Mp4("rgb")
