"""SIGINT and SIGTERM raise a flag; long loops look at it at a safe place and stop with a checkpoint."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from cavendish.errors import InterruptedRunError


class StopRequest:
    """Whether, and by which signal, this process was asked to stop."""

    def __init__(self) -> None:
        self.signal: int | None = None

    def check(self, where: str) -> None:
        """Raise InterruptedRunError if a stop was requested; call where nothing is half-done."""
        if self.signal is not None:
            raise InterruptedRunError(f"{signal.Signals(self.signal).name} {where}; the same command resumes")


@contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Watch for stop requests; a second signal of the same kind kills at once, as usual."""
    request = StopRequest()
    previous = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def remember(number: int, frame: FrameType | None) -> None:
        request.signal = number
        signal.signal(number, signal.SIG_DFL)

    for number in previous:
        signal.signal(number, remember)
    try:
        yield request
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
