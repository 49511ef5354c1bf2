"""A headless browser that tests look through: Chromium, told what to do over its DevTools protocol."""

import json
import os
import shutil
import subprocess
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from websocket import create_connection

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
SEEN = """(async () => {
    if (window.MathJax && MathJax.startup) await MathJax.startup.promise;
    const all = query => [...document.querySelectorAll(query)];
    const width = document.documentElement.clientWidth;
    const scrolls = element => {
        for (let e = element.parentElement; e; e = e.parentElement)
            if (["auto", "scroll"].includes(getComputedStyle(e).overflowX)) return true;
        return false;
    };
    const cut = all("article *").filter(e => e.getBoundingClientRect().right > width + 1 && !scrolls(e));
    return {
        cut: cut.map(e => `${e.tagName} ${e.className} ${e.textContent.slice(0, 40)}`),
        wider: document.documentElement.scrollWidth - width,
        images: document.images.length,
        broken: [...document.images].filter(i => !i.complete || !i.naturalWidth).map(i => i.getAttribute("src")),
        formulas: all(".math").length,
        drawn: all(".math").filter(m => m.querySelector("mjx-container svg")).length,
        refused: all("[data-mjx-error]").map(m => m.getAttribute("data-mjx-error")),
        text: document.body.innerText,
    };
})()"""


def find_browser() -> str:
    """The browser's program. Without one the test is skipped, or fails if RCNN_LITE_REQUIRE_BROWSER=1."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        sentence = f"no browser to look at the book with: none of {', '.join(NAMES)} is installed"
        if os.environ.get("RCNN_LITE_REQUIRE_BROWSER") == "1":
            pytest.fail(sentence)
        pytest.skip(sentence)
    return found


@dataclass
class Visit:
    """What came of opening a page: complaints of its console, addresses that it asked for, and what `SEEN` saw."""

    complaints: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    seen: dict = field(default_factory=dict)


class Browser:
    """A running browser with one tab; use it in a ``with`` statement."""

    def __init__(self, program: str, folder: Path):
        options = ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage")
        self.process = subprocess.Popen(
            [program, *options, "--remote-debugging-port=0", f"--user-data-dir={folder}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        port = self._wait_for_port(folder / "DevToolsActivePort")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json", timeout=60) as answer:
            tab = next(tab for tab in json.load(answer) if tab["type"] == "page")
        self.socket = create_connection(tab["webSocketDebuggerUrl"], suppress_origin=True, timeout=120)
        self.count, self.visit = 0, Visit()
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *_):
        self.socket.close()
        self.process.terminate()
        self.process.wait()

    @staticmethod
    def _wait_for_port(file: Path) -> str:
        for _ in range(600):
            if file.is_file() and file.read_text():
                return file.read_text().split()[0]
            time.sleep(0.1)
        raise RuntimeError("the browser did not start in a minute")

    def call(self, method: str, **parameters) -> dict:
        """The result of one command; what happens meanwhile is noted in the visit."""
        self.count += 1
        self.socket.send(json.dumps({"id": self.count, "method": method, "params": parameters}))
        while True:
            message = json.loads(self.socket.recv())
            if message.get("id") == self.count:
                return message["result"]
            self.note(message)

    def note(self, message: dict) -> str:
        """Notes an event in the visit; returns its name."""
        name, what = message.get("method", ""), message.get("params", {})
        if name == "Runtime.exceptionThrown":
            self.visit.complaints.append(json.dumps(what["exceptionDetails"])[:300])
        elif name == "Runtime.consoleAPICalled" and what["type"] in ("error", "warning", "assert"):
            self.visit.complaints.append(json.dumps(what["args"])[:300])
        elif name == "Log.entryAdded" and what["entry"]["level"] in ("error", "warning"):
            self.visit.complaints.append(f"{what['entry']['text']} {what['entry'].get('url', '')}")
        elif name == "Network.requestWillBeSent":
            self.visit.asked.append(what["request"]["url"])
        return name

    def open(self, address: str, width: int = 400) -> Visit:
        """Opens a page in a window of so many pixels, waits until it is loaded and its formulas are drawn."""
        self.call("Page.navigate", url="about:blank")
        self.visit = Visit()
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        self.call("Page.navigate", url=address)
        while self.note(json.loads(self.socket.recv())) != "Page.loadEventFired":
            pass
        self.visit.seen = self.evaluate(SEEN)
        return self.visit

    def evaluate(self, script: str):
        """The value of a script of the page."""
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(json.dumps(answer["exceptionDetails"])[:500])
        return answer["result"].get("value")
