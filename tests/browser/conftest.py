"""A real server, a real browser, and a camera that films a real face."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest


def chromium_path() -> str | None:
    """Returns the browser's executable, or None."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


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
def launch():
    """Starts headless Chromium with further arguments; all that were started are closed at the end."""
    executable = chromium_path()
    if executable is None:
        pytest.skip("needs Chromium: on Debian, apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = []

        def start(*arguments: str):
            quiet = ["--no-sandbox", "--disable-background-networking", "--disable-component-update"]
            running = playwright.chromium.launch(executable_path=executable, args=[*quiet, *arguments])
            started.append(running)
            return running

        yield start
        for running in started:
            running.close()


@pytest.fixture(scope="session")
def browser(launch, film):
    """Headless Chromium whose camera shows the film."""
    return launch(
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={film}",
    )


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
