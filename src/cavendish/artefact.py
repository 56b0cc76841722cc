"""Files that are either whole or absent, whatever kills the writer.

A folder is committed by: write into a private temporary folder beside it -> fsync every file ->
MANIFEST.json with every size and SHA-256 -> fsync -> one rename -> fsync of the parent. A single file the
same way, without a manifest. A reader verifies a folder against its manifest before use, so a missing,
cut or altered file is refused by name. Temporary names start with `.tmp-` and are swept by the next writer.
"""

import errno
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cavendish.errors import BadInputError, BusyError, CorruptDataError, DiskError

MANIFEST = "MANIFEST.json"
TEMPORARY = ".tmp-"
HINTS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
}


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn what the file system refuses into a DiskError that names the path."""
    try:
        yield
    except OSError as error:
        reason = HINTS.get(error.errno or 0, error.strerror or str(error))
        raise DiskError(f"cannot write {path}: {reason}") from error


@contextmanager
def committed_folder(folder: Path) -> Iterator[Path]:
    """Yield a private folder to write in; on success it becomes `folder` in one step, else it vanishes."""
    private = folder.with_name(f"{TEMPORARY}{folder.name}-{os.getpid()}")
    with disk_errors(folder):
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            private.mkdir()
            yield private
            entries = seal(private)
            _write(private / MANIFEST, json.dumps({"files": entries}, indent=1).encode())
            _sync_folder(private)
            if folder.exists():
                shutil.rmtree(folder)
            private.rename(folder)
            _sync_folder(folder.parent)
        finally:
            shutil.rmtree(private, ignore_errors=True)


def commit_file(path: Path, content: bytes) -> None:
    """Write a whole file or nothing."""
    private = path.with_name(f"{TEMPORARY}{path.name}-{os.getpid()}")
    with disk_errors(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(private, content)
            private.replace(path)
            _sync_folder(path.parent)
        finally:
            private.unlink(missing_ok=True)


def verify_folder(folder: Path) -> None:
    """Compare a committed folder with its manifest; raise CorruptDataError that names the first bad file."""
    try:
        files = json.loads((folder / MANIFEST).read_bytes())["files"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CorruptDataError(f"{folder / MANIFEST}: missing or unreadable manifest") from error
    for name, expected in files.items():
        path = folder / name
        if not path.is_file():
            raise CorruptDataError(f"{path}: missing, its manifest lists {expected['bytes']} bytes")
        if _entry(path) != expected:
            raise CorruptDataError(f"{path}: content differs from its manifest (expected sha256 {expected['sha256']})")


def read_json(path: Path) -> Any:
    """Read a JSON file of ours, refusing what is missing or damaged by name."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise BadInputError(f"{path}: no such file") from error
    except OSError as error:
        raise BadInputError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise CorruptDataError(f"{path}: not valid JSON") from error


def sweep(folder: Path) -> None:
    """Remove what a killed writer left behind. Call only while holding the folder's lock."""
    for path in folder.rglob(f"{TEMPORARY}*"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


@contextmanager
def sole_writer(folder: Path) -> Iterator[None]:
    """Hold a folder for this process; a second writer is refused at once. The lock dies with its holder."""
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        handle = (folder / ".lock").open("w")
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise BusyError(f"{folder}: another process is writing here") from error
        sweep(folder)
        yield


def seal(folder: Path) -> dict[str, dict[str, int | str]]:
    """Flush every file beneath a folder to the disk, and list them with their sizes and SHA-256."""
    return {str(p.relative_to(folder)): _entry(p) for p in sorted(folder.rglob("*")) if p.is_file()}


def _entry(path: Path) -> dict[str, int | str]:
    content = path.read_bytes()
    with path.open("rb") as handle:
        os.fsync(handle.fileno())
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
