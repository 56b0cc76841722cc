"""What can go wrong, said once: every error names the thing, its value and what was expected.

The command line turns each class into one line on standard error and the exit code below,
so that scripts and schedulers can tell a typing mistake from a full disk:
0 ok, 2 bad input, 3 corrupt data, 4 disk, 5 non-finite training, 75 interrupted and resumable, 130 interrupted by hand.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from typing import ClassVar, TypeVar

T = TypeVar("T")
INTERRUPTED = 130  # what shells call a program that Ctrl-C has ended


class CavendishError(Exception):
    """The root of the hierarchy; never raised itself."""

    exit_code: ClassVar[int] = 1


class BadInputError(CavendishError):
    """A name, value, shape or unit that the caller must change."""

    exit_code = 2


class BusyError(BadInputError):
    """Something that another process holds just now."""


class CorruptDataError(CavendishError):
    """A stored artefact whose bytes are missing, cut short or not what its manifest says."""

    exit_code = 3


class DiskError(CavendishError):
    """The file system refused: full, read-only, or not permitted."""

    exit_code = 4


class NonFiniteError(CavendishError):
    """Training met a loss or gradient that is not a number; no parameter was touched by it."""

    exit_code = 5


class InterruptedRunError(CavendishError):
    """A signal stopped the run after a checkpoint; the same command resumes it."""

    exit_code = 75


def chosen(kind: str, name: str, known: Mapping[str, T]) -> T:
    """Find what a name stands for, or refuse it."""
    if name not in known:
        raise unknown(kind, name, known)
    return known[name]


def unknown(kind: str, name: str, known: Iterable[str]) -> BadInputError:
    """Build the error for a misspelt name, with the nearest known one as a suggestion."""
    names = sorted(known)
    near = get_close_matches(name, names, n=1)
    hint = f"did you mean '{near[0]}'? " if near else ""
    return BadInputError(f"unknown {kind} '{name}': {hint}known: {', '.join(names)}")


@contextmanager
def needs_extra(what: str, extra: str) -> Iterator[None]:
    """Import an optional dependency inside, or say which extra brings it."""
    try:
        yield
    except ImportError as error:
        raise BadInputError(f"{what} needs the extra '{extra}': pip install 'cavendish[{extra}]'") from error
