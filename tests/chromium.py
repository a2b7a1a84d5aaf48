"""A page in headless Chromium, driven over a pipe by its debugging protocol: no package, no port."""

import base64
import contextlib
import json
import os
import shutil
import subprocess
import sys
import time

PATIENCE = 60
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--remote-debugging-pipe",
]


def path():
    """Where Chromium is; None where there is none."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


# Puts the pipe where the browser looks for it, and becomes the browser.
BECOME = """
import fcntl, os, sys
ends = [fcntl.fcntl(int(end), fcntl.F_DUPFD, 10) for end in sys.argv[1:3]]
for number, end in enumerate(ends, 3):
    os.dup2(end, number)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Page:
    """One page of a browser of its own."""

    def __init__(self, folder, width=1100, height=1400, dark=False):
        to_read, self._to = os.pipe()
        self._from, to_write = os.pipe()
        command = [path(), *FLAGS, f"--user-data-dir={folder}", "about:blank"]
        self._browser = subprocess.Popen(
            [sys.executable, "-c", BECOME, str(to_read), str(to_write), *command],
            pass_fds=(to_read, to_write),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_read)
        os.close(to_write)
        self._number, self._unread, self._session, self.told = 0, b"", None, []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.call("Emulation.setEmulatedMedia", features=scheme)

    def call(self, method, **parameters):
        """Ask the browser; what it tells meanwhile is kept in `told`."""
        self._number += 1
        asked = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            asked["sessionId"] = self._session
        os.write(self._to, json.dumps(asked).encode() + b"\0")
        while True:
            while b"\0" not in self._unread:
                piece = os.read(self._from, 1 << 16)
                if not piece:
                    raise EOFError("the browser ended")
                self._unread += piece
            message, _, self._unread = self._unread.partition(b"\0")
            told = json.loads(message)
            if told.get("id") != self._number:
                self.told.append(told)
            elif "error" in told:
                raise RuntimeError(f"{method}: {told['error']}")
            else:
                return told["result"]

    def open(self, url):
        """Go to an address."""
        self.call("Page.navigate", url=url)
        self.wait_for(f'location.href.startsWith({json.dumps(url)}) && document.readyState === "complete"')

    def run(self, script):
        """The value of an expression in the page."""
        told = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in told:
            raise RuntimeError(told["exceptionDetails"])
        return told["result"].get("value")

    def wait_for(self, script):
        """Wait until an expression in the page is true."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            # Between two pages, nothing can be run.
            with contextlib.suppress(RuntimeError):
                if self.run(script):
                    return
            time.sleep(0.05)
        raise TimeoutError(f"{script} did not become true; the page shows: {self.run('document.body.innerText')}")

    def press(self, key, **more):
        """Press a key."""
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, **more)

    def complaints(self):
        """What the page wrote to its console as a warning or an error, and what it failed by."""
        self.run("0")
        entries = [t["params"]["entry"] for t in self.told if t.get("method") == "Log.entryAdded"]
        thrown = [t["params"] for t in self.told if t.get("method") == "Runtime.exceptionThrown"]
        return [e for e in entries if e["level"] in ("warning", "error")] + thrown

    def requested(self):
        """The addresses that the page asked."""
        sent = [t["params"] for t in self.told if t.get("method") == "Network.requestWillBeSent"]
        return [one["request"]["url"] for one in sent]

    def picture(self, file):
        """Write what is seen, as a PNG file."""
        told = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        file.write_bytes(base64.b64decode(told["data"]))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(EOFError, RuntimeError, OSError):
            self._session = None
            self.call("Browser.close")
        try:
            self._browser.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._browser.kill()
            self._browser.wait()
        os.close(self._to)
        os.close(self._from)
