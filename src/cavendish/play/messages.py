"""What the page may say to the server: one JSON object a message, {"type": NAME, fields}, and nothing else.

Every message is a frozen value read by its type hints (`codec`), so a wrong name, type or number is refused in words.
"""

import json
from dataclasses import dataclass
from typing import Literal, NoReturn

from cavendish.codec import from_json
from cavendish.errors import BadInputError

LONGEST = 4096  # characters


@dataclass(frozen=True)
class Hello:
    """The first message: the token of the launch."""

    token: str


@dataclass(frozen=True)
class Hold:
    """A button goes down; the last one that went down counts."""

    button: int


@dataclass(frozen=True)
class Release:
    """No button is down."""


@dataclass(frozen=True)
class Drawn:
    """A frame was drawn: only then more are sent."""

    number: int


@dataclass(frozen=True)
class Begin:
    """Play from a true beginning, or from an empty picture; photos and sketches come as bytes."""

    kind: Literal["true", "blank"]
    number: int = 0

    def __post_init__(self) -> None:
        """Refuse a number that names no clip."""
        _within("number", self.number, 0, 2**31)


@dataclass(frozen=True)
class Reset:
    """Play again from where this game began."""


@dataclass(frozen=True)
class Undo:
    """Take the last press back."""


@dataclass(frozen=True)
class Settings:
    """How the world answers, and how fast it plays."""

    seed: int
    temperature: float
    pace: float  # frames per second
    flow: bool  # whether time passes while no button is down

    def __post_init__(self) -> None:
        """Refuse numbers that mean nothing."""
        _within("seed", self.seed, 0, 2**63 - 1)
        _within("temperature", self.temperature, 0, 4)
        _within("pace", self.pace, 1, 60)


@dataclass(frozen=True)
class Record:
    """Start or end a recording."""

    on: bool


@dataclass(frozen=True)
class Film:
    """Send the recording."""

    kind: Literal["mp4", "gif"]


Message = Hello | Hold | Release | Drawn | Begin | Reset | Undo | Settings | Record | Film


@dataclass(frozen=True)
class _Said:
    message: Message


def parse(text: str) -> Message:
    """Read a message; raise BadInputError for anything else."""
    if len(text) > LONGEST:
        raise BadInputError(f"a message of {len(text)} characters, expected at most {LONGEST}")
    try:
        content = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise BadInputError("the message is no JSON") from None
    return from_json(_Said, {"message": content}, "said").message


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise BadInputError(f"{name} = {value:g}, expected {low:g} to {high:g}")
