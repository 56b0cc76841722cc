"""A headless Chromium, spoken to over its DevTools protocol: enough to play a page, look at it and time it."""

import base64
import itertools
import json
import shutil
import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from websockets.sync.client import ClientConnection, connect

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--remote-debugging-port=0",
    "--remote-allow-origins=*",
)
PATIENCE = 60.0  # s


def chromium() -> str | None:
    """Find a Chromium on this machine."""
    return next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
    )


class Tab:
    """One page."""

    def __init__(self, line: ClientConnection) -> None:
        self.line, self.numbers = line, itertools.count(1)
        self.events: list[dict[str, Any]] = []

    def watch(self) -> Self:
        """Ask for what happens on the page."""
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        return self

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol."""
        number = next(self.numbers)
        self.line.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self.line.recv(PATIENCE))
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return dict(answer["result"])
            self.events.append(answer)

    def run(self, script: str) -> Any:
        """Evaluate JavaScript, waiting for promises."""
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def until(self, script: str) -> Any:
        """Wait until an expression is true."""
        end = time.monotonic() + PATIENCE
        while not (value := self.run(script)):
            assert time.monotonic() < end, f"never true: {script}"
            time.sleep(0.05)
        return value

    def open(self, url: str) -> None:
        """Open a page and wait until it has a world."""
        self.call("Page.navigate", url=url)
        self.until("typeof world !== 'undefined' && world !== null")

    def look(self, path: Path, width: int, height: int, dark: str = "light") -> None:
        """Take a picture of the whole page at a width."""
        phone = width < 600
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": dark}])
        time.sleep(0.5)
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def key(self, kind: str, key: str) -> None:
        """Press (keyDown) or release (keyUp) a key."""
        self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key)

    def complaints(self) -> list[str]:
        """Return errors and violations of the page's policy so far."""
        wrong = [e for e in self.events if e.get("method") == "Runtime.exceptionThrown"]
        logged = [e["params"]["entry"] for e in self.events if e.get("method") == "Log.entryAdded"]
        return [json.dumps(e)[:300] for e in wrong] + [entry["text"] for entry in logged if entry["level"] == "error"]


class Browser:
    """A Chromium with a profile of its own."""

    def __enter__(self) -> Self:
        """Start it and find its port."""
        program = chromium()
        assert program is not None
        self.profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.child = subprocess.Popen(
            [program, *FLAGS, f"--user-data-dir={self.profile.name}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        told = Path(self.profile.name) / "DevToolsActivePort"
        end = time.monotonic() + PATIENCE
        while not (told.exists() and len(told.read_text().splitlines()) > 1):
            assert time.monotonic() < end
            time.sleep(0.1)
        self.port = int(told.read_text().splitlines()[0])
        root = told.read_text().splitlines()[1]
        self.lines = ExitStack()
        self.root = self._tab(root)
        return self

    def __exit__(self, *reason: object) -> None:
        """End it."""
        self.lines.close()
        self.child.terminate()
        self.child.wait(PATIENCE)
        self.profile.cleanup()

    def tab(self) -> Tab:
        """Open a tab in a window of its own, so that none is asleep in the background."""
        target = self.root.call("Target.createTarget", url="about:blank", newWindow=True)["targetId"]
        return self._tab(f"/devtools/page/{target}").watch()

    def _tab(self, path: str) -> Tab:
        address = f"ws://127.0.0.1:{self.port}{path}"
        line = connect(address, max_size=2**27, compression=None, open_timeout=PATIENCE)
        return Tab(self.lines.enter_context(line))
