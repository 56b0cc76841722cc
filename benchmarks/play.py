"""How fast is playing in a real browser, for one player and for four? Prints what docs/log.md quotes.

A server is started as anybody starts it, and a headless Chromium opens one window per player. Frames per second: a key
is held for ten seconds at the fastest pace. Key to photon: a key goes down at a random moment of a resting world while
time flows at the page's own pace; the clock runs from the key event to the animation frame after the first picture
that differs. At last one player plays on for some minutes while the memory of server and page is watched.
    python benchmarks/play.py [minutes of the last part, default 1] [run folder, default the true pushable world]
"""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from browser import Browser, Tab

SERVE = "import sys; from cavendish.cli import call; sys.exit(call(['play', *sys.argv[1:]]))"
SECONDS = 10
INSTRUMENT = """
window.frames_ = []; window.lags = []; window.t0 = 0; window.last_ = 0; window.gap = 0;
const put = CanvasRenderingContext2D.prototype.putImageData;
CanvasRenderingContext2D.prototype.putImageData = function (image, x, y) {
  put.call(this, image, x, y);
  if (this.canvas.id !== "dream") return;
  const now = performance.now(), words = new Uint32Array(image.data.buffer);
  let mark = 0;
  for (let k = 0; k < words.length; k++) mark = (mark * 31 + words[k]) | 0;
  frames_.push(now);
  if (window.before_ !== undefined && before_ !== mark && t0) {
    const begun = t0; t0 = 0;
    requestAnimationFrame(() => lags.push(performance.now() - begun));
  }
  window.before_ = mark;
};
true
"""
LAG = """
(async () => {
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  const key = (kind, code) => dispatchEvent(new KeyboardEvent(kind, { key: code, code }));
  for (let k = 0; k < 60; k++) {
    await wait(450 + 100 * Math.random());
    t0 = performance.now();
    const code = k % 2 ? "ArrowLeft" : "ArrowRight";
    key("keydown", code);
    await wait(80);
    key("keyup", code);
  }
  await wait(500);
  return lags;
})()
"""


def frames_per_second(tabs: list[Tab]) -> list[float]:
    """Hold a key in every window, and count frames."""
    for tab in tabs:
        tab.run("$('pace').value = 60; settings(); dispatchEvent(new KeyboardEvent('keydown', {key: '1', code: '1'}))")
    time.sleep(2)
    for tab in tabs:
        tab.run("frames_.length = 0")
    time.sleep(SECONDS)
    rates = [tab.run("(frames_.length - 1) / (frames_.at(-1) - frames_[0]) * 1000") for tab in tabs]
    for tab in tabs:
        tab.run("dispatchEvent(new KeyboardEvent('keyup', {key: '1', code: '1'})); $('pace').value = 20; settings()")
    return rates


def lags(tabs: list[Tab]) -> list[float]:
    """Press keys in every window at once, and return all times from key to photon in ms."""
    for tab in tabs:
        tab.run("$('reset').click(); lags.length = 0; window.playing = " + LAG.strip() + "; 0")
    return [lag for tab in tabs for lag in tab.run("playing")]


def resident(process: int) -> float:
    """Return the memory of a process in MiB."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * 4096 / 2**20


def endure(tab: Tab, process: int, minutes: float) -> None:
    """Play on, pressing a key now and then, and watch memory and the longest gap."""
    heap = "performance.memory.usedJSHeapSize / 2**20"
    before = resident(process), tab.run(heap)
    tab.run("frames_.length = 0")
    end = time.monotonic() + 60 * minutes
    while time.monotonic() < end:
        for key in ("ArrowLeft", "ArrowUp", "ArrowRight", "ArrowDown"):
            tab.key("keyDown", key)
            time.sleep(1)
            tab.key("keyUp", key)
    after = resident(process), tab.run(heap)
    gap = tab.run("Math.max(...frames_.slice(1).map((t, k) => t - frames_[k]))")
    print(
        f"{minutes:g} min: {tab.run('frames_.length')} frames, longest gap {gap:.0f} ms, "
        f"server {before[0]:.0f} -> {after[0]:.0f} MiB, page heap {before[1]:.1f} -> {after[1]:.1f} MiB"
    )


def main(minutes: float, world: list[str]) -> None:
    """Measure one player, then four, then time."""
    command = [sys.executable, "-c", SERVE, *world]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    url = server.stdout.readline().split()[2]
    try:
        with Browser() as chromium:
            tabs: list[Tab] = []
            for players in (1, 4):
                while len(tabs) < players:
                    tabs.append(chromium.tab())
                    tabs[-1].open(url)
                    tabs[-1].run(INSTRUMENT)
                rates, waits = frames_per_second(tabs), lags(tabs)
                median, late = np.percentile(waits, [50, 95])
                print(
                    f"{players} player(s): {min(rates):.1f} to {max(rates):.1f} frames/s, key to photon median "
                    f"{median:.0f} ms, p95 {late:.0f} ms (n = {len(waits)})",
                    flush=True,
                )
            endure(tabs[0], server.pid, minutes)
            print("complaints:", [tab.complaints() for tab in tabs])
    finally:
        server.terminate()
        server.wait(30)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0, sys.argv[2:] or ["--scene", "pushable"])
