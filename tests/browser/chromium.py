"""Headless Chromium, driven over its DevTools protocol (https://chromedevtools.github.io/devtools-protocol/)."""

import asyncio
import base64
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-dev-shm-usage",
    "--remote-debugging-port=0",
)
SECONDS = 60.0
# Key -> the code that key events carry besides it.
TEXTS = {"Enter": "\r"}
# What the browser answers about a page that another one replaces before the expression is evaluated.
REPLACED = ("Inspected target navigated or closed", "Execution context was destroyed.", "Cannot find context")


class Replaced(Exception):
    """The page was left while an expression was being evaluated."""


class Page:
    """A tab. Calls return when the browser has answered.

    Attributes:
        messages: errors of scripts, and what policies of pages have stopped.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._loop, self._socket, self._calls = loop, socket, 0
        self.messages: list[str] = []

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """The result of a method of the protocol."""
        return self._loop.run_until_complete(asyncio.wait_for(self._call(method, params), SECONDS))

    async def _call(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        self._calls += 1
        await self._socket.send_json({"id": self._calls, "method": method, "params": params})
        while True:
            answer = await self._socket.receive_json()
            if answer.get("method") == "Log.entryAdded" and answer["params"]["entry"]["source"] != "network":
                self.messages.append(answer["params"]["entry"]["text"])
            if answer.get("method") == "Runtime.exceptionThrown":
                self.messages.append(str(answer["params"]["exceptionDetails"]))
            if answer.get("id") == self._calls:
                error = answer.get("error")
                if error is not None and error["message"].startswith(REPLACED):
                    raise Replaced(error["message"])
                assert error is None, f"{method}: {error}"
                found: dict[str, Any] = answer["result"]
                return found

    def open(self, address: str) -> None:
        """Open an address, and wait until it is loaded."""
        self.call("Page.navigate", url=address)
        self.until("document.readyState === 'complete'")

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def until(self, expression: str) -> None:
        """Wait until an expression is true; a page that is being replaced counts as not yet."""
        end = time.monotonic() + SECONDS
        while True:
            with suppress(Replaced):
                found = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
                if found["result"].get("value"):
                    return
            assert time.monotonic() < end, expression
            time.sleep(0.05)

    def press(self, key: str) -> None:
        """Press and release a key."""
        text = TEXTS.get(key, key if len(key) == 1 else "")
        what = {"key": key, "code": key, "windowsVirtualKeyCode": CODES.get(key, ord(key[0].upper()))}
        self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", text=text, **what)
        self.call("Input.dispatchKeyEvent", type="keyUp", **what)

    def width(self, pixels: int) -> None:
        """Lay the page out at this width, as a phone or a window of that size does."""
        self.call("Emulation.setDeviceMetricsOverride", width=pixels, height=900, deviceScaleFactor=1, mobile=False)

    def offline(self, offline: bool) -> None:
        """Take the network away, or give it back."""
        speed = dict.fromkeys(("latency", "downloadThroughput", "uploadThroughput"), -1)
        self.call("Network.emulateNetworkConditions", offline=offline, **speed)

    def overflows(self) -> list[str]:
        """Elements that make the page wider than the window; empty if it is not."""
        found: list[str] = self.evaluate(
            """document.documentElement.scrollWidth <= innerWidth ? [] : ['the page'].concat(
            [...document.querySelectorAll('body *')].filter((one) => one.getBoundingClientRect().right > innerWidth)
            .map((one) => one.tagName + '.' + one.className))"""
        )
        return found

    def screenshot(self, path: Path) -> None:
        """Save what the window shows as PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", captureBeyondViewport=False)["data"]))


CODES = {"Enter": 13, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Backspace": 8, "-": 189}


@contextmanager
def chromium(folder: Path) -> Iterator[Page]:
    """A tab of a fresh browser, whose profile is in ``folder``."""
    command = [str(PROGRAM), *FLAGS, f"--user-data-dir={folder}", "about:blank"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        loop = asyncio.new_event_loop()
        try:
            session, socket = loop.run_until_complete(_connect(_port(folder / "DevToolsActivePort", process)))
            page = Page(loop, socket)
            try:
                for domain in ("Page", "Runtime", "Log", "Network"):
                    page.call(f"{domain}.enable")
                yield page
            finally:
                loop.run_until_complete(session.close())
        finally:
            process.kill()
            loop.close()


def _port(file: Path, process: subprocess.Popen[bytes]) -> int:
    end = time.monotonic() + SECONDS
    while not (file.exists() and file.read_text().count("\n")):
        assert process.poll() is None and time.monotonic() < end, "Chromium does not start"
        time.sleep(0.05)
    return int(file.read_text().split("\n")[0])


async def _connect(port: int) -> tuple[aiohttp.ClientSession, aiohttp.ClientWebSocketResponse]:
    session = aiohttp.ClientSession()
    async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
        tabs = await answer.json(content_type=None)
    address = next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")
    return session, await session.ws_connect(address, max_msg_size=0)
