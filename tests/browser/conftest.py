"""A real server, a real browser, and a camera that films a real face."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.conftest import ROOT

START_SECONDS = 60


def chromium_path() -> str | None:
    """Returns the browser's executable, or None."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@dataclass(frozen=True)
class Server:
    """A running app: its address, its folder for temporary files, and its log."""

    url: str
    temporary: Path
    log: Path

    def files(self) -> set[str]:
        """Returns every file that the server has left in its temporary and home folders, Matplotlib's fonts aside."""
        names = {str(path.relative_to(self.temporary)) for path in self.temporary.rglob("*") if path.is_file()}
        return {name for name in names if not name.startswith(".cache/matplotlib/")}


def start_server(folder: Path) -> tuple[subprocess.Popen, Server]:
    """Starts ``python app.py`` on a free port, with temporary files and home under ``folder``."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    temporary = folder / "temporary"
    temporary.mkdir()
    environment = os.environ | {
        "GRADIO_SERVER_PORT": str(port),
        "TMPDIR": str(temporary),
        "GRADIO_TEMP_DIR": str(temporary / "gradio"),
        "HOME": str(temporary),
    }
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "app.py"], cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            urllib.request.urlopen(url, timeout=2)
            return process, Server(url, temporary, log)
        except (urllib.error.URLError, OSError):
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                raise RuntimeError(f"the app did not answer: {log.read_text()}") from None
            time.sleep(0.2)


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """The app, shared by all browser tests."""
    process, running = start_server(tmp_path_factory.mktemp("server"))
    yield running
    process.terminate()
    process.wait(20)


@pytest.fixture(scope="session")
def film(tmp_path_factory, astronaut) -> Path:
    """A film for Chromium's fake camera: the astronaut, 640 x 480, swaying a little, as raw 4:2:0 frames."""
    path = tmp_path_factory.mktemp("film") / "astronaut.y4m"
    square = cv2.resize(astronaut, (480, 480), interpolation=cv2.INTER_AREA)
    with path.open("wb") as file:
        file.write(b"YUV4MPEG2 W640 H480 F30:1 Ip A1:1 C420jpeg\n")
        for number in range(60):
            left = 80 + round(20 * np.sin(2 * np.pi * number / 60))
            frame = cv2.copyMakeBorder(square, 0, 0, left, 160 - left, cv2.BORDER_REPLICATE)
            file.write(b"FRAME\n" + cv2.cvtColor(frame, cv2.COLOR_RGB2YUV_I420).tobytes())
    return path


@pytest.fixture(scope="session")
def browser(film):
    """Headless Chromium whose camera shows the film."""
    executable = chromium_path()
    if executable is None:
        pytest.skip("needs Chromium: on Debian, apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=executable,
            args=[
                "--no-sandbox",
                "--use-fake-ui-for-media-stream",
                "--use-fake-device-for-media-stream",
                f"--use-file-for-fake-video-capture={film}",
                "--disable-background-networking",
                "--disable-component-update",
            ],
        )
        yield running
        running.close()


@pytest.fixture
def page(browser, server):
    """The app's page at the size of a laptop screen; messages of the console are in ``page.messages``."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    tab = context.new_page()
    tab.messages = []
    tab.on("console", lambda line: tab.messages.append(f"{line.type}: {line.text}"))
    tab.on("pageerror", lambda error: tab.messages.append(f"error: {error}"))
    tab.goto(server.url)
    tab.get_by_role("tab", name="Live").wait_for()
    yield tab
    context.close()
