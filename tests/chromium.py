"""A small client of Chromium's DevTools protocol over pipes: what the tests of the page drive.

https://chromedevtools.github.io/devtools-protocol/; messages are JSON, ended by a null character.
"""

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

COMMAND = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
ANSWER = 120  # seconds for an answer of the browser, before another one is started
WHY_NOT = "" if COMMAND and os.name == "posix" else "there is no chromium on this machine"


class Browser:
    """A headless Chromium with one page. events: everything that it reported, in order."""

    def __init__(self):
        self.events = []
        self._start()

    def _start(self):
        self._buffer = b""
        self._number = 0
        self._folder = tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True)
        theirs, self._out = map(_high, os.pipe())
        self._in, theirs_too = map(_high, os.pipe())
        flags = [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--remote-debugging-pipe", "--no-first-run", "--disable-extensions",
            "--hide-scrollbars",
            "--disable-background-networking", "--disable-component-update", "--mute-audio",
            "--force-color-profile=srgb", f"--user-data-dir={self._folder.name}", "about:blank",
        ]  # fmt: skip
        # the browser reads file 3 and writes file 4
        shell = f'exec "$0" "$@" 3<&{theirs} 4>&{theirs_too}'
        self._process = subprocess.Popen(
            ["bash", "-c", shell, COMMAND, *flags], pass_fds=(theirs, theirs_too),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        os.close(theirs)
        os.close(theirs_too)
        self._session = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.call("Page.setLifecycleEventsEnabled", enabled=True)

    def close(self):
        """End the browser that this object started."""
        os.close(self._out)
        os.close(self._in)
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._folder.cleanup()

    def call(self, method, **params):
        """The result of one command; events that arrive before it are kept."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + ANSWER
        while True:
            answer = self._read(end)
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def _read(self, end):
        """The next message, which may be an event, before `end` on the monotonic clock."""
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._in], [], [], max(0.0, end - time.monotonic()))
            data = os.read(self._in, 1 << 20) if ready else b""
            if not data:
                raise TimeoutError("the browser does not answer")
            self._buffer += data
        text, _, self._buffer = self._buffer.partition(b"\0")
        message = json.loads(text)
        if "method" in message:
            self.events.append(message)
        return message

    def open(self, url, wide=1200, high=900, scale=1):
        """Load a page in a window of this size, and wait until it has drawn.

        A browser that does not answer is a fault of the machine: a new one gets a second chance.
        """
        size = {"width": wide, "height": high, "deviceScaleFactor": scale, "mobile": False}
        try:
            self._open(url, size)
        except TimeoutError:
            self.close()
            self._start()
            self._open(url, size)

    def _open(self, url, size):
        self.call("Emulation.setDeviceMetricsOverride", **size)
        self._load("about:blank")  # the same page with another permalink would not be loaded again
        self.events.clear()
        self._load(url)
        self.settle()

    def _load(self, url):
        """Go to an address and wait for the load event of that very document, not the last one."""
        loader = self.call("Page.navigate", url=url)["loaderId"]
        end = time.monotonic() + ANSWER
        while not any(
            event["method"] == "Page.lifecycleEvent"
            and (event["params"]["loaderId"], event["params"]["name"]) == (loader, "load")
            for event in self.events
        ):
            self._read(end)

    def settle(self):
        """Wait for two frames, so that what was asked for is drawn."""
        self.js("new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))")

    def js(self, expression):
        """The value of an expression in the page, awaited."""
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True,
                           returnByValue=True)  # fmt: skip
        if "exceptionDetails" in answer:
            raise RuntimeError(json.dumps(answer["exceptionDetails"])[:800])
        return answer["result"].get("value")

    def mouse(self, kind, x, y, buttons=0):
        """A mouse event at a place of the window: mousePressed, mouseMoved or mouseReleased."""
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, buttons=buttons, clickCount=1,
                  button="left" if buttons or kind == "mouseReleased" else "none")  # fmt: skip

    def drag(self, begin, end, pieces=5):
        """Press at one place, move in pieces to another, let go."""
        self.mouse("mouseMoved", *begin)
        self.mouse("mousePressed", *begin, buttons=1)
        for k in range(1, pieces + 1):
            part = k / pieces
            place = [a + part * (b - a) for a, b in zip(begin, end, strict=True)]
            self.mouse("mouseMoved", *place, buttons=1)
        self.mouse("mouseReleased", *end)
        self.settle()

    def key(self, key, code=0, text="", modifiers=0):
        """Press and let go of a key."""
        more = {"key": key, "windowsVirtualKeyCode": code, "modifiers": modifiers}
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **more)
        self.call("Input.dispatchKeyEvent", type="keyUp", **more)
        self.settle()

    def picture(self, path=None, **more):
        """A PNG of the window, as bytes, written to `path` if there is one."""
        data = base64.b64decode(self.call("Page.captureScreenshot", format="png", **more)["data"])
        if path is not None:
            path.write_bytes(data)
        return data

    def troubles(self):
        """What the console complained about, and what was thrown, since the page was opened."""
        self.js("0")
        found = []
        for event in self.events:
            params = event["params"]
            if event["method"] == "Runtime.exceptionThrown":
                found.append(params["exceptionDetails"].get("exception", {}).get("description"))
            if event["method"] == "Runtime.consoleAPICalled":
                found.append(str(params["args"]))
            if event["method"] == "Log.entryAdded":
                found.append(params["entry"]["text"])
        # advice about the tests' own reading of pixels
        return [text for text in found if "getImageData" not in str(text)]

    def requests(self):
        """Every address that the page asked for."""
        self.js("0")
        asked = [e for e in self.events if e["method"] == "Network.requestWillBeSent"]
        return [event["params"]["request"]["url"] for event in asked]


def _high(number):
    """The same file under a number above 9, out of the way of 3 and 4."""
    copy = fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(number)
    return copy
