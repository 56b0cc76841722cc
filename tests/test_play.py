"""Playing: the truth can be played, a game can be undone, and nobody but the player at this machine comes in."""

import asyncio
import io
import json
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, final

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import UInt8
from PIL import Image
from rich.console import Console
from torch import Tensor
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from cavendish.cli import call
from cavendish.commands.play import learnt
from cavendish.data import Picture, Split
from cavendish.data.media import read_clip
from cavendish.errors import BadInputError
from cavendish.models.playing import Place, PlayedWorld
from cavendish.play.likeness import likeness
from cavendish.play.messages import parse
from cavendish.play.pictures import fitted
from cavendish.play.server import Address, Limits, serve
from cavendish.play.session import MOMENTS, RECORDED, Session, Stage
from cavendish.play.simulated import Beginning, Simulated, State, beginning
from cavendish.scenes import SCENES, Platform, Playable, Pushable, UniformMotion
from cavendish.studies import Study, Weighing
from cavendish.studies.run import learn, open_run

ROOT = Path(__file__).parents[1]
GAMES = [kind for kind in SCENES if issubclass(kind, Playable)]
PICTURE = Picture(32, 32)
NONE, LEFT, RIGHT, DOWN, UP = range(5)
ORDER = (3, 0, 4, 1, 2, 3, 1)  # the true button behind each of the learnt world's


@final
class Learnt(PlayedWorld[State]):
    """What a learnt world looks like from outside: buttons in an order of its own, and noise when it is warm."""

    def __init__(self, truth: Simulated, order: tuple[int, ...] = ORDER) -> None:
        self.truth, self.order = truth, order

    @property
    def buttons(self) -> int:
        """How many."""
        return len(self.order)

    @property
    def size(self) -> tuple[int, int]:
        """As the truth."""
        return self.truth.size

    def enter(self, frames: UInt8[Tensor, "t h w c"]) -> Place[State]:
        """See what the reader sees."""
        return self.truth.enter(frames)

    def press(self, place: Place[State], button: int, temperature: float, generator: torch.Generator) -> Place[State]:
        """Do what another button of the truth does."""
        after = self.truth.press(place, self.order[button], temperature, generator)
        noise = 40 * temperature * torch.randn(after.frame.shape, generator=generator)
        return Place((after.frame + noise).clamp(0, 255).to(torch.uint8), after.memory)


def true_stage(scene: Playable | None = None, picture: Picture = PICTURE) -> Stage:
    """Play the truth."""
    scene = scene or Pushable()
    world = Simulated(scene, picture)
    split = Split(scene, "interpolation", picture=picture)
    return Stage(scene.name(), world, lambda n: beginning(split, n), scene.step, world.reader, controls=scene.controls)


def learnt_stage() -> Stage:
    """Play a world whose buttons mean something else, with the truth beside it."""
    truth = Simulated(Pushable(), PICTURE)
    split = Split(Pushable(), "interpolation", picture=PICTURE)
    controls = tuple(Pushable.controls[a] for a in ORDER)
    world = Learnt(truth)
    return Stage("learnt", world, lambda n: beginning(split, n), 0.1, truth.reader, 1.0, truth, controls)


# -- the truth ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", GAMES, ids=lambda kind: kind.name())
def test_playing_the_buttons_of_a_clip_shows_the_clip(kind: type[Playable]) -> None:
    scene = kind()
    split = Split(scene, picture=PICTURE)  # type: ignore[arg-type]
    clip, world = split[3], Simulated(scene, PICTURE)
    assert clip.actions is not None
    start = beginning(split, 3)
    assert start.state is not None
    place = world.stand(start.state)
    assert torch.equal(place.frame, start.frames[-1])
    for k in range(scene.context - 1, 20):
        place = world.press(place, int(clip.actions[k, 0]), 0.0, torch.Generator())
        assert (place.frame.int() - clip.frames[k + 1].int()).abs().max() <= 1


def test_a_picture_of_the_world_is_entered_where_its_bodies_are_seen() -> None:
    split, world = Split(Pushable(), picture=Picture(64, 64)), Simulated(Pushable(), Picture(64, 64))
    start = beginning(split, 1)
    assert start.state is not None
    seen = world.enter(start.frames[-1:]).memory
    assert np.abs(seen[0, :3] - start.state[0, :3]).max() < 0.02  # m: radius, x, y
    assert (seen[0, 3:] == 0).all()


def test_a_picture_that_does_not_show_the_state_cannot_be_entered() -> None:
    empty = torch.full((1, 32, 32, 3), 255, dtype=torch.uint8)
    with pytest.raises(BadInputError, match="1 of 1 bodies are not found"):
        Simulated(Pushable(), PICTURE).enter(empty)
    with pytest.raises(BadInputError, match="does not show all of the state"):
        Simulated(Platform(), PICTURE).enter(empty)


@pytest.mark.parametrize("order", [ORDER, (0, 1, 2, 3, 4), (4, 3, 2, 1)])
def test_what_the_buttons_of_a_learnt_world_do_is_found_by_trying_them(order: tuple[int, ...]) -> None:
    truth = Simulated(Pushable(), PICTURE)
    split = Split(Pushable(), picture=PICTURE)
    assert likeness(Learnt(truth, order), truth, [beginning(split, n) for n in range(3)]) == order


def test_a_button_that_acts_like_no_other_has_no_name() -> None:
    truth = Simulated(Pushable(), PICTURE)

    class Odd(PlayedWorld[State]):
        buttons, size = 2, truth.size  # type: ignore[assignment]

        def enter(self, frames: UInt8[Tensor, "t h w c"]) -> Place[State]:
            return truth.enter(frames)

        def press(
            self, place: Place[State], button: int, temperature: float, generator: torch.Generator
        ) -> Place[State]:
            return truth.press(place, LEFT, 0.0, generator) if button else Place(place.frame // 2, place.memory)

    split = Split(Pushable(), picture=PICTURE)
    assert likeness(Odd(), truth, [beginning(split, n) for n in range(3)]) == (-1, LEFT)


# -- a game ---------------------------------------------------------------------------------------------------------


def test_what_is_undone_comes_out_the_same_when_it_is_pressed_again() -> None:
    session = Session(learnt_stage())
    session.temperature = 1.0
    frames = [session.now.place.frame]
    for button in (0, 2, 2, 3):
        session.press(button)
        frames.append(session.now.place.frame)
    assert not torch.equal(frames[-1], frames[-2])
    session.undo()
    session.undo()
    assert session.presses == 2
    assert torch.equal(session.now.place.frame, frames[2])
    session.press(2)
    assert torch.equal(session.now.place.frame, frames[3])
    for _ in range(9):
        session.undo()
    assert session.presses == 0
    assert torch.equal(session.now.place.frame, frames[0])


def test_a_reset_brings_the_first_frame_back_and_the_seed_decides_what_follows() -> None:
    def played(session: Session, seed: int) -> Tensor:
        session.seed(seed)
        session.reset()
        session.press(2)
        return session.now.place.frame

    session = Session(learnt_stage())
    session.temperature = 1.0
    first = session.now.place.frame
    one, again, other = played(session, 1), played(session, 1), played(session, 2)
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    session.reset()
    assert torch.equal(session.now.place.frame, first)


def test_the_reader_tells_the_speed_and_energy_of_every_body() -> None:
    session = Session(true_stage(picture=Picture(64, 64)))
    before = session.now.place.memory
    session.press(RIGHT if before[0, 1] < 5 else LEFT)
    seen, after = session.now.seen, session.now.place.memory
    assert seen is not None
    radius, speed = before[0, 0], np.linalg.norm(after[0, 1:3] - before[0, 1:3]) / 0.1
    assert speed > 1
    assert seen.speed[0] == pytest.approx(speed, abs=0.1)
    assert seen.energy[0] == pytest.approx(0.5 * np.pi * radius**2 * speed**2, rel=0.1)


def test_the_truth_beside_a_perfect_dream_is_the_dream() -> None:
    session = Session(learnt_stage())
    for button in (0, 0, 2, 4, 3, 6):
        session.press(button)
        assert session.now.truth is not None
        assert (session.now.truth.frame.int() - session.now.place.frame.int()).abs().max() <= 4  # entered by reading
        assert session.now.truly is not None


def test_an_empty_picture_changes_nothing_where_it_cannot_be_entered() -> None:
    session = Session(true_stage())
    session.press(LEFT)
    before = session.now
    with pytest.raises(BadInputError, match="not found"):
        session.begin(Beginning(torch.full((1, 32, 32, 3), 255, dtype=torch.uint8)))
    assert session.now is before
    assert session.presses == 1


def test_a_wrong_button_is_refused_and_changes_nothing() -> None:
    session = Session(true_stage())
    for button in (-1, 5, 10**9):
        with pytest.raises(BadInputError, match=f"button {button}, expected 0 to 4"):
            session.press(button)
    assert session.presses == 0


@pytest.mark.parametrize("kind", ["mp4", "gif"])
def test_a_recording_holds_the_frames_that_were_shown(kind: Any, tmp_path: Path) -> None:
    session = Session(true_stage())
    with pytest.raises(BadInputError, match="nothing is recorded"):
        session.film(kind, 20.0)
    session.press(LEFT)
    session.record(True)
    shown = [session.now.place.frame]
    for button in (RIGHT, RIGHT, UP, NONE):
        session.press(button)
        shown.append(session.now.place.frame)
    session.record(False)
    session.press(LEFT)
    path = tmp_path / f"film.{kind}"
    path.write_bytes(session.film(kind, 20.0))
    film = read_clip(path)
    assert film.shape[1:] == (256, 256, 3)
    small = film[:, 4::8, 4::8]
    assert np.array_equal(small[[0, 1, 2, 3]], torch.stack(shown[:4]).numpy())


def resident() -> int:
    """Return the bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is measured through /proc")
def test_a_thousand_presses_leave_bounded_memory() -> None:
    session = Session(true_stage())
    session.record(True)
    for _ in range(MOMENTS):
        session.press(RIGHT)
    before = resident()
    for k in range(1000):
        session.press(k % 5)
    assert resident() - before < 2**24
    assert len(session.moments) == MOMENTS
    assert len(session.recorded) == RECORDED
    assert not session.recording  # it was full


# -- messages and pictures ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no JSON"),
        ("[" * 4000, "no JSON"),
        ('{"type": "Settings", "seed": 0, "temperature": NaN, "pace": 20, "flow": true}', "no JSON"),
        ("[]", "unknown type of said.message 'None'"),
        ('{"type": "Hole", "button": 1}', "did you mean 'Hold'"),
        ('{"type": "Hold"}', "field 'button' is missing"),
        ('{"type": "Hold", "button": 1.5}', "expected int"),
        ('{"type": "Hold", "button": true}', "expected int"),
        ('{"type": "Hold", "button": 1, "more": 2}', "unknown field"),
        ('{"type": "Begin", "kind": "../../etc/passwd", "number": 0}', "unknown said.message.kind"),
        ('{"type": "Settings", "seed": -1, "temperature": 0.0, "pace": 20.0, "flow": true}', "seed = -1"),
        ('{"type": "Settings", "seed": 1, "temperature": 1e308, "pace": 20.0, "flow": true}', "temperature = 1e"),
        ('{"type": "Settings", "seed": 1, "temperature": 1, "pace": 0, "flow": true}', "pace = 0"),
        (" " * 5000, "5000 characters"),
    ],
)
def test_a_message_that_means_nothing_is_refused_in_words(text: str, why: str) -> None:
    with pytest.raises(BadInputError, match=why):
        parse(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8), st.lists, max_leaves=4
)


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.dictionaries(st.sampled_from(["type", "button", "seed", "kind", "on", "token", "number"]), JSON))
def test_no_message_breaks_the_reader_of_messages(content: dict[str, Any]) -> None:
    with suppress(BadInputError):
        parse(json.dumps(content))


def test_a_picture_is_cut_from_the_middle_and_averaged() -> None:
    wide = np.zeros((8, 24, 3), np.uint8)
    wide[:, 8:16] = 200
    wide[:4, 8:16] = 100
    assert np.array_equal(fitted(wide, 2, 2)[:, :, 0], [[100, 100], [200, 200]])
    assert fitted(wide[:3, :5], 32, 32).shape == (32, 32, 3)


# -- the server -----------------------------------------------------------------------------------------------------


class Served:
    """A server in a thread of its own."""

    def __init__(self, stage: Stage, limits: Limits) -> None:
        self.loop, told = asyncio.new_event_loop(), threading.Event()

        def ready(url: str) -> None:
            self.url = url
            told.set()

        self.task = self.loop.create_task(serve(stage, Address(), limits, ready))
        self.thread = threading.Thread(target=self._run)
        self.thread.start()
        assert told.wait(60)
        self.origin, self.token = self.url.split("/#")
        self.port = int(self.origin.rsplit(":", 1)[1])

    def _run(self) -> None:
        with pytest.raises(asyncio.CancelledError):
            self.loop.run_until_complete(self.task)
        self.loop.close()

    def end(self) -> None:
        """Stop it."""
        self.loop.call_soon_threadsafe(self.task.cancel)
        self.thread.join(30)

    def guest(self) -> AbstractContextManager[ClientConnection]:
        """Come in as a page of ours does, without saying the token yet."""
        address = f"ws://127.0.0.1:{self.port}/play"
        return connect(address, origin=self.origin, max_size=2**24, compression=None)  # type: ignore[arg-type]

    def asked(self, head: str) -> str:
        """Send a raw request and return the status line."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as line:
            line.sendall(head.encode())
            return line.recv(4096).decode(errors="replace").split("\r\n")[0]


@pytest.fixture(scope="module")
def house() -> Iterator[Served]:
    """Serve the truth."""
    served = Served(true_stage(), Limits(players=3, message=2**18))
    yield served
    served.end()


def say(guest: ClientConnection, kind: str, /, **fields: Any) -> None:
    """Send a message."""
    guest.send(json.dumps({"type": kind, **fields}))


def heard(guest: ClientConnection, what: str, seconds: float = 20.0) -> dict[str, Any]:
    """Wait for a message of a kind; every frame is reported as drawn. Bytes come under "content"."""
    end = time.monotonic() + seconds
    while True:
        message = guest.recv(max(0.0, end - time.monotonic()))
        if isinstance(message, bytes):
            length = struct.unpack("<I", message[:4])[0]
            head = {**json.loads(message[4 : 4 + length]), "content": message[4 + length :]}
        else:
            head = json.loads(message)
        if "frame" in head:
            say(guest, "Drawn", number=head["frame"])
        if what in head:
            return dict(head)


@contextmanager
def entered(house: Served) -> Iterator[ClientConnection]:
    """Come in and begin to play."""
    with house.guest() as guest:
        say(guest, "Hello", token=house.token)
        assert heard(guest, "hello")["hello"]["buttons"] == list(Pushable.controls)
        assert len(heard(guest, "frame")["content"]) == 32 * 32 * 3
        heard(guest, "preview")
        yield guest


def all_that_comes(guest: ClientConnection) -> Iterator[bytes]:
    """Yield messages until there is silence."""
    with suppress(TimeoutError):
        while True:
            message = guest.recv(0.5)
            yield message if isinstance(message, bytes) else message.encode()


HOSTS = ["127.0.0.1:{port}", "localhost:{port}", "LOCALHOST:{port}", "[::1]:{port}"]
FOREIGN = [
    "evil.example",
    "evil.example:{port}",
    "0x7f.1:{port}",
    "127.0.0.1",
    "127.0.0.1:1",
    "",
    "127.0.0.1.evil:{port}",
]
UPGRADE = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
UPGRADE += "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"


@pytest.mark.parametrize("kind", ["GET", "POST", "OPTIONS", "socket"])
@pytest.mark.parametrize("origin", ["none", "same", "null", "http://evil.example", "host", "https"])
@pytest.mark.parametrize("host", [*HOSTS, *FOREIGN, "twice", "missing"])
def test_only_our_own_page_at_our_own_host_comes_in(house: Served, host: str, origin: str, kind: str) -> None:
    named = host.format(port=house.port)
    line = {"twice": f"Host: 127.0.0.1:{house.port}\r\nHost: 127.0.0.1:{house.port}\r\n", "missing": ""}
    origins = {"none": None, "same": f"http://{named.lower()}", "host": f"http://evil.example:{house.port}"}
    origins["https"] = f"https://{named}"
    said = origins.get(origin, origin)
    ask = f"{'GET /play' if kind == 'socket' else kind + ' /'} HTTP/1.1\r\n"
    ask += line.get(host, f"Host: {named}\r\n") + ("" if said is None else f"Origin: {said}\r\n")
    status = house.asked(ask + (UPGRADE if kind == "socket" else "") + "\r\n")
    right_origin = origin == "same" or (origin == "none" and kind != "socket")
    if host not in HOSTS:
        assert " 421 " in status
    elif not right_origin:
        assert " 403 " in status
    else:
        assert {"GET": " 200 ", "socket": " 101 "}.get(kind, " 405 ") in status


@pytest.mark.parametrize("path", ["/../x", "/%2e%2e/etc/passwd", "//", "/page.html", "/play/", "/C:\\x"])
def test_there_is_nothing_else_to_get(house: Served, path: str) -> None:
    assert " 404 " in house.asked(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{house.port}\r\n\r\n")


def test_a_request_with_a_body_or_endless_heads_is_not_read(house: Served) -> None:
    host = f"Host: 127.0.0.1:{house.port}\r\n"
    assert " 200 " not in house.asked(f"POST / HTTP/1.1\r\n{host}Content-Length: 10000000000\r\n\r\nxxxx")
    assert " 200 " not in house.asked(f"GET / HTTP/1.1\r\n{host}X: {'y' * 20000}\r\n\r\n")
    many = "".join(f"X-{k}: 1\r\n" for k in range(500))
    assert " 200 " not in house.asked(f"GET / HTTP/1.1\r\n{host}{many}\r\n")


def test_the_page_needs_nothing_from_elsewhere_and_its_policy_allows_nothing_else(house: Served) -> None:
    page = (ROOT / "src" / "cavendish" / "play" / "page.html").read_text()
    assert len(page.splitlines()) <= 600
    assert not re.findall(r"""(?:src|href)\s*=\s*["'](?!data:,)|url\(|@import|https?://|\sstyle=|\son\w+=""", page)
    with socket.create_connection(("127.0.0.1", house.port), timeout=10) as line:
        line.sendall(f"GET / HTTP/1.1\r\nHost: localhost:{house.port}\r\n\r\n".encode())
        answer = b"".join(iter(lambda: line.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert body == page.encode()
    assert b"default-src 'none'" in head
    assert b"unsafe" not in head
    assert house.token.encode() not in answer


@pytest.mark.parametrize("token", ["", "wrong", "\u00fc"])
def test_whoever_does_not_know_the_token_is_sent_away(house: Served, token: str) -> None:
    with house.guest() as guest:
        say(guest, "Hello", token=token)
        assert "whole address" in heard(guest, "refused")["refused"]
        with pytest.raises(ConnectionClosed, match="1008"):
            guest.recv(10)
    with house.guest() as guest:
        say(guest, "Hold", button=1)
        assert heard(guest, "refused")["over"]
    with pytest.raises(InvalidStatus), connect(f"ws://127.0.0.1:{house.port}/play"):
        pass


def test_a_key_moves_the_world_and_a_mistake_is_answered_in_words(house: Served) -> None:
    with entered(house) as guest:
        say(guest, "Hold", button=LEFT)
        first = heard(guest, "frame")
        assert heard(guest, "frame")["presses"] == first["presses"] + 1
        say(guest, "Release")
        say(guest, "Hold", button=77)
        assert heard(guest, "refused")["refused"] == "button 77, expected 0 to 4"
        guest.send("what?")
        assert "no JSON" in heard(guest, "refused")["refused"]
        say(guest, "Hello", token=house.token)
        assert "out of place" in heard(guest, "refused")["refused"]
        say(guest, "Film", kind="gif")
        assert "nothing is recorded" in heard(guest, "refused")["refused"]
        say(guest, "Reset")
        while heard(guest, "frame")["presses"]:
            pass


def test_a_short_tap_is_one_press_and_time_flows_only_when_asked(house: Served) -> None:
    with entered(house) as guest:
        say(guest, "Hold", button=LEFT)
        say(guest, "Release")
        assert heard(guest, "frame")["presses"] == 1
        with pytest.raises(TimeoutError):
            heard(guest, "frame", 0.3)
        say(guest, "Settings", seed=0, temperature=0.0, pace=60.0, flow=True)
        assert heard(guest, "frame")["presses"] == 1
        assert [heard(guest, "frame")["presses"] for _ in range(3)] == [2, 3, 4]
        say(guest, "Undo")


def test_a_browser_that_draws_nothing_is_sent_two_frames_and_no_more(house: Served) -> None:
    with entered(house) as guest:
        heard(guest, "preview")
        for _ in range(3000):
            say(guest, "Hold", button=RIGHT)
        say(guest, "Hold", button=LEFT)
        assert sum(b'"frame"' in message[:16] for message in all_that_comes(guest)) <= 2
        say(guest, "Drawn", number=10**6)
        assert heard(guest, "frame")


def picture_of_a_ball(kind: str, side: int = 200) -> bytes:
    """Draw a red ball, as a person would."""
    y, x = np.mgrid[:side, :side] / side
    image = np.full((side, side, 3), 255, np.uint8)
    image[(x - 0.25) ** 2 + (y - 0.75) ** 2 < 0.08**2] = (255, 0, 0)
    content = io.BytesIO()
    Image.fromarray(image).save(content, kind)
    return content.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_photo_or_a_sketch_begins_a_game_where_the_ball_is_seen(house: Served, kind: str) -> None:
    with entered(house) as guest:
        guest.send(picture_of_a_ball(kind))
        frame = np.frombuffer(heard(guest, "frame")["content"], np.uint8).reshape(32, 32, 3)
        red = np.argwhere(frame[..., 1] < 128).mean(0)
        assert np.abs(red - [23.5, 7.5]).max() < 0.6


def bomb() -> bytes:
    """Make a small PNG of 36 million pixels."""
    content = io.BytesIO()
    Image.new("L", (6000, 6000)).save(content, "PNG")
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "refused"),
        (b"<svg onload=alert(1)>", "refused"),
        (b"\x89PNG\r\n\x1a\n" + bytes(1000), "refused"),
        (picture_of_a_ball("PNG")[:300], "refused"),
        (bomb(), "refused"),
        (b"#EXTM3U\nfile:///etc/passwd", "refused"),
    ],
    ids=["empty", "svg", "zeros", "cut", "bomb", "playlist"],
)
def test_a_hostile_upload_is_refused_with_a_message_and_the_game_goes_on(
    house: Served, content: bytes, why: str
) -> None:
    with entered(house) as guest:
        guest.send(content)
        refused = heard(guest, "refused")["refused"]
        assert why in refused
        assert "/" not in refused  # no path of this machine
        say(guest, "Hold", button=LEFT)
        assert heard(guest, "frame")["presses"] == 1


def test_an_upload_beyond_the_limit_ends_the_game(house: Served) -> None:
    with entered(house) as guest:
        guest.send(bytes(2**18 + 1))
        with pytest.raises(ConnectionClosed, match="1009"):
            heard(guest, "never")


def test_the_fourth_player_of_three_is_told_to_wait_and_whoever_leaves_makes_room(house: Served) -> None:
    time.sleep(0.5)  # until those who left are gone
    with ExitStack() as two, entered(house):
        for _ in range(2):
            two.enter_context(entered(house))
        with house.guest() as guest:
            say(guest, "Hello", token=house.token)
            assert "3 people are playing" in heard(guest, "refused")["refused"]
            with pytest.raises(ConnectionClosed, match="1013"):
                guest.recv(10)
        two.close()
        time.sleep(0.5)
        with entered(house):
            pass


def test_players_do_not_disturb_each_other(house: Served) -> None:
    with entered(house) as one, entered(house) as other:
        for guest, button in ((one, LEFT), (other, UP)):
            for _ in range(2):
                say(guest, "Hold", button=button)
                say(guest, "Release")
                heard(guest, "frame")
        moved = [heard(guest, "frame")["content"] for guest in (one, other) if not say(guest, "Undo")]  # type: ignore[func-returns-value]
        assert moved[0] != moved[1]


def test_half_a_request_and_a_silent_player_are_ended() -> None:
    served = Served(true_stage(), Limits(patience=0.5, idle=1.0))
    try:
        with socket.create_connection(("127.0.0.1", served.port), timeout=10) as line:
            line.sendall(b"GET / HTTP/1.1\r\nHost: ")
            assert line.recv(100) == b""
        with served.guest() as guest:
            assert "whole address" in heard(guest, "refused")["refused"]
        with served.guest() as guest:
            say(guest, "Hello", token=served.token)
            say(guest, "Settings", seed=0, temperature=0.0, pace=20.0, flow=True)
            assert "left alone" in heard(guest, "refused")["refused"]  # drawing alone is no deed
    finally:
        served.end()


# -- the command ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ([], "expected a run folder, --pretrained or --scene"),
        (["runs/x", "--scene", "pushable"], "expected a run folder, --pretrained or --scene"),
        (["--scene", "pushabel"], "did you mean 'pushable'"),
        (["--scene", "parabola"], "parabola has no buttons"),
        (["--scene", "pushable", "--side", "4000"], "side = 4000, expected 16 to 256"),
        (["--scene", "pushable", "--port", "70000"], "port = 70000"),
        (["--scene", "pushable", "--players", "0"], "players = 0"),
        (["nowhere"], "nowhere"),
    ],
)
def test_what_cannot_be_played_is_refused(arguments: list[str], why: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["play", *arguments]) in (2, 3)
    assert why in capsys.readouterr().err


def test_a_run_whose_model_has_no_buttons_is_refused(tiny_study: Study, tmp_path: Path) -> None:
    with open_run(tiny_study, tmp_path) as (folder, stop):
        learn(tiny_study, folder, stop, Console(file=io.StringIO()))
    with pytest.raises(BadInputError, match="a Diffusion has no buttons, expected a world that can be played"):
        learnt(folder, 0)


def test_a_run_that_can_be_played_has_the_truth_beside_it(
    tiny_study: Study, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    study = replace(tiny_study, data=Split(Pushable(), picture=PICTURE), weighing=Weighing(("interpolation",)))
    monkeypatch.setattr("cavendish.commands.play.read_study", lambda folder: study)
    monkeypatch.setattr("cavendish.commands.play.load", lambda folder: Learnt(Simulated(Pushable(), PICTURE)))
    stage = learnt(tmp_path, 0)
    assert stage.controls == tuple(Pushable.controls[a] for a in ORDER)
    session = Session(stage)
    session.press(2)
    assert session.now.truth is not None
    assert (session.now.truth.frame.int() - session.now.place.frame.int()).abs().max() <= 4


def test_a_scene_without_buttons_has_no_beginnings() -> None:
    with pytest.raises(BadInputError, match="no buttons"):
        beginning(Split(UniformMotion(), picture=PICTURE), 0)


# -- the page -------------------------------------------------------------------------------------------------------


def test_a_person_plays_in_a_real_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    browser = __import__("browser")
    if browser.chromium() is None:
        pytest.skip("no chromium here")
    served = Served(learnt_stage(), Limits())
    try:
        with browser.Browser() as chromium:
            tab = chromium.tab()
            tab.open(served.url)
            tab.until("!document.getElementById('truth-figure').hidden && history.length > 0")
            before = tab.run("document.getElementById('dream').toDataURL()")
            tab.key("keyDown", "ArrowLeft")
            tab.until("downs.size === 1 && history.length > 3")
            tab.key("keyUp", "ArrowLeft")
            tab.until("downs.size === 0")
            assert tab.run("document.getElementById('dream').toDataURL()") != before
            tab.run("$('reset').click()")
            tab.until("history.length === 1 || $('flow').checked")
            tab.run(
                "$('draw').click(); ink.fillStyle = 'red'; ink.beginPath(); ink.arc(64, 128, 20, 0, 7); ink.fill();"
            )
            tab.run("$('play-sketch').click()")
            tab.until("$('dream').getContext('2d').getImageData(8, 16, 1, 1).data[1] < 20")
            assert tab.complaints() == []
    finally:
        served.end()
