"""The server of the page: one process, one web socket per player, and nowhere a queue that could grow.

Of what a player holds only the latest counts: a key that goes down is pressed once at least, then for as long as it is
held, once per frame. A frame is sent only while fewer than `ahead` are on their way to the browser, which says when it
has drawn one; so a slow browser sees fewer frames, never old ones. Worlds are played in a few threads for all players.
A frame goes out as one message, head and pixels together: 4 bytes length of the head, the head in JSON, raw RGB.
The library closes requests that do not end, messages that are too long and browsers that do not answer.
"""

import asyncio
import json
import os
import secrets
import socket
import struct
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, final

import torch
from jaxtyping import UInt8
from torch import Tensor

from cavendish.codec import to_json
from cavendish.errors import BadInputError, CavendishError
from cavendish.play.doors import Doors
from cavendish.play.messages import (
    Begin,
    Drawn,
    Film,
    Hello,
    Hold,
    Message,
    Record,
    Release,
    Reset,
    Settings,
    Undo,
    parse,
)
from cavendish.play.pictures import Pictures
from cavendish.play.session import Glimpse, Session, Stage
from cavendish.play.simulated import Beginning

if TYPE_CHECKING:
    from websockets.asyncio.server import ServerConnection

T = TypeVar("T")
TRY_LATER, FORBIDDEN, FINISHED = 1013, 1008, 1000  # closing codes of RFC 6455


@final
@dataclass(frozen=True)
class Limits:
    """What strangers and forgotten tabs may cost."""

    players: int = 8
    message: int = 2**23  # bytes
    patience: float = 10.0  # s, for a request, and for the token
    idle: float = 900.0  # s without a deed of the player
    ahead: int = 2  # frames on their way


@final
class Player:
    """Somebody at the page: what is held down, how it is played, and which frames were drawn."""

    def __init__(self, guest: "ServerConnection", session: Session, pace: float) -> None:
        self.guest, self.session, self.pace = guest, session, pace
        self.held: int | None = None
        self.tapped: int | None = None
        self.rest: int | None = None  # pressed while nothing is held
        self.sent = self.drawn = 0
        self.turn, self.awake = asyncio.Lock(), asyncio.Event()
        self.previews: asyncio.Task[None] | None = None

    def next(self, ahead: int) -> int | None:
        """Take the button of the next frame; None while there is nothing to press or too much to draw."""
        if self.sent - self.drawn >= ahead:
            return None
        tapped, self.tapped = self.tapped, None
        return next((button for button in (tapped, self.held, self.rest) if button is not None), None)


@final
class Playhouse:
    """Lets players in, and plays with each of them."""

    def __init__(self, stage: Stage, token: str, limits: Limits, pool: ThreadPoolExecutor, pictures: Pictures) -> None:
        self.stage, self.token, self.limits, self.pool, self.pictures = stage, token, limits, pool, pictures
        self.players = 0

    async def welcome(self, guest: "ServerConnection") -> None:
        """Play with one person, from the first message to the last."""
        from websockets.exceptions import ConnectionClosed

        with suppress(ConnectionClosed):
            try:
                async with asyncio.timeout(self.limits.patience):
                    hello = await guest.recv()
                first = parse(hello) if isinstance(hello, str) else None
            except (TimeoutError, BadInputError):
                first = None
            if not isinstance(first, Hello) or not secrets.compare_digest(first.token.encode(), self.token.encode()):
                await _dismiss(guest, FORBIDDEN, "Please open the whole address that the terminal shows.")
                return
            if self.players >= self.limits.players:
                await _dismiss(guest, TRY_LATER, f"{self.limits.players} people are playing already. Try again later.")
                return
            with self._counted():
                await self._play(guest)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self.players += 1
        try:
            yield
        finally:
            self.players -= 1

    async def _play(self, guest: "ServerConnection") -> None:
        session = await self._work(lambda: Session(self.stage))
        player = Player(guest, session, min(60.0, 2 / self.stage.step))
        await guest.send(json.dumps({"hello": self._introduction(player)}))
        await self._opened(player)
        tasks = {asyncio.create_task(self._live(player)), asyncio.create_task(self._listen(player))}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()  # neither ends without a reason
        except TimeoutError:
            await _dismiss(guest, FINISHED, "This game was left alone for long, so it ended. Reload to play again.")
        finally:
            tasks |= {player.previews} if player.previews else set()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _introduction(self, player: Player) -> dict[str, Any]:
        stage = self.stage
        height, width = stage.world.size
        colours = [] if stage.reader is None else stage.reader.colours.tolist()
        named = [*stage.controls, *[""] * (stage.world.buttons - len(stage.controls))]
        return {
            "title": stage.title,
            "height": height,
            "width": width,
            "buttons": named,
            "colours": colours,
            "step": stage.step,
            "pace": player.pace,
            "truth": stage.truth is not None,
            "largest": self.limits.message,
        }

    async def _listen(self, player: Player) -> None:
        """Hear a player out; a player who only lets frames be drawn is absent."""
        clock = asyncio.get_running_loop().time
        deed = clock()
        while True:
            async with asyncio.timeout_at(deed + self.limits.idle):
                said = await player.guest.recv()
            try:
                message = parse(said) if isinstance(said, str) else said
                if isinstance(message, Drawn):
                    player.drawn = min(player.sent, max(player.drawn, message.number))
                else:
                    deed = clock()
                    await self._obey(player, message)
            except CavendishError as error:
                await player.guest.send(json.dumps({"refused": str(error)}))
            player.awake.set()

    async def _obey(self, player: Player, message: Message | bytes) -> None:
        session = player.session
        match message:
            case Hold(button):
                if not 0 <= button < self.stage.world.buttons:
                    raise BadInputError(f"button {button}, expected 0 to {self.stage.world.buttons - 1}")
                player.held = player.tapped = button
            case Release():
                player.held = None
            case Settings(seed, temperature, pace, flow):
                rest = self.stage.controls.index("none") if "none" in self.stage.controls else None
                player.pace, player.rest, session.temperature = pace, rest if flow else None, temperature
                await self._change(player, lambda: session.seed(seed))
            case Record(on):
                await self._change(player, lambda: session.record(on))
            case Undo():
                await self._change(player, session.undo)
            case Reset():
                await self._change(player, session.reset)
            case Begin(kind, number):
                await self._change(player, lambda: session.begin(self._beginning(kind, number)))
                await self._opened(player)
            case Film(kind):
                content = await self._work(lambda: session.film(kind, player.pace))
                await player.guest.send(_packed({"film": kind}, content))
            case bytes(picture):
                await self._change(player, lambda: session.begin(self.pictures.beginning(picture)))
                await self._opened(player)
            case _:
                raise BadInputError(f"{type(message).__name__} is out of place here")

    def _beginning(self, kind: str, number: int) -> Beginning:
        if kind == "true":
            return self.stage.beginnings(number)
        ground = [255, 255, 255] if self.stage.reader is None else self.stage.reader.background.tolist()
        return Beginning(torch.tensor(ground, dtype=torch.uint8).expand(1, *self.stage.world.size, 3).clone())

    async def _change(self, player: Player, change: Callable[[], None]) -> None:
        """Change a game between two frames, and show what became of it."""
        async with player.turn:
            player.tapped = None
            await self._work(change)
            await self._show(player)

    async def _opened(self, player: Player) -> None:
        """Show a new game, and then what each button does in it."""
        if player.previews is not None:
            player.previews.cancel()
        async with player.turn:
            await self._show(player)
        player.previews = asyncio.create_task(self._preview(player))

    async def _preview(self, player: Player) -> None:
        place = player.session.now.place
        for button in range(self.stage.world.buttons):
            frame = await self._work(lambda button=button: player.session.preview(place, button))  # type: ignore[misc]
            await player.guest.send(_packed({"preview": button}, _pixels(frame)))

    async def _live(self, player: Player) -> None:
        """Play one frame after the other, for as long as there is something to press."""
        clock, due = asyncio.get_running_loop().time, 0.0
        while True:
            await player.awake.wait()
            await asyncio.sleep(max(0.0, due - clock()))
            async with player.turn:
                button = player.next(self.limits.ahead)
                if button is None:
                    player.awake.clear()
                    continue
                due = max(due, clock()) + 1 / player.pace
                try:
                    await self._work(lambda button=button: player.session.press(button))  # type: ignore[misc]
                except CavendishError as error:
                    player.held = None
                    await player.guest.send(json.dumps({"refused": str(error)}))
                    continue
                await self._show(player)

    async def _show(self, player: Player) -> None:
        now, session = player.session.now, player.session
        player.sent += 1
        head = {
            "frame": player.sent,
            "presses": session.presses,
            "seen": _strip(now.seen),
            "truly": _strip(now.truly),
            "truth": now.truth is not None,
            "recorded": len(session.recorded),
            "recording": session.recording,
        }
        truth = b"" if now.truth is None else _pixels(now.truth.frame)
        await player.guest.send(_packed(head, _pixels(now.place.frame) + truth))

    async def _work(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self.pool, work)


def _strip(seen: Glimpse | None) -> list[list[Any]]:
    return [] if seen is None else to_json([seen.speed.tolist(), seen.energy.tolist()])


def _pixels(frame: UInt8[Tensor, "h w c"]) -> bytes:
    return frame.contiguous().numpy().tobytes()


def _packed(head: dict[str, Any], content: bytes) -> bytes:
    told = json.dumps(head).encode()
    return struct.pack("<I", len(told)) + told + content


async def _dismiss(guest: "ServerConnection", code: int, why: str) -> None:
    await guest.send(json.dumps({"refused": why, "over": True}))
    await guest.close(code, why[:120])


@final
@dataclass(frozen=True)
class Address:
    """Where to serve: a host, a port (0: any free one) and further names by which others may call this machine."""

    host: str = "127.0.0.1"
    port: int = 0
    names: tuple[str, ...] = ()


async def serve(stage: Stage, address: Address, limits: Limits, ready: Callable[[str], None]) -> None:
    """Serve until cancelled; `ready` is told the address with its token."""
    from websockets.asyncio.server import serve as listen

    token = secrets.token_urlsafe(32)
    Session(stage).press(0)  # whatever is compiled at first use is compiled before the first player comes
    with (
        socket.create_server((address.host, address.port)) as door,
        ThreadPoolExecutor(os.cpu_count() or 1) as pool,
        Pictures(stage.world.size) as pictures,
    ):
        port = door.getsockname()[1]
        house = Playhouse(stage, token, limits, pool, pictures)
        async with listen(
            house.welcome,
            sock=door,
            process_request=Doors.at((address.host, *address.names), port).answer,
            compression=None,
            open_timeout=limits.patience,
            max_size=limits.message,
            max_queue=4,
            server_header=None,
        ) as server:
            ready(f"http://{address.host}:{port}/#{token}")
            await server.serve_forever()
