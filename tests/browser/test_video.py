"""Video tab in a real browser: the example, uploads, bad files, cancel, and a page that is closed midway."""

import csv
import json
import re
import time

import pytest

from tests.browser.test_live import FIRST_ANSWER_MS
from tests.films import swaying, write_film

ANALYZED_MS = 60_000
FRAMES_OF_A_MINUTE = 1500


@pytest.fixture(scope="session")
def long_film(tmp_path_factory, astronaut):
    """A minute of the astronaut."""
    path = tmp_path_factory.mktemp("films") / "private-name.mp4"
    pictures = swaying(astronaut, FRAMES_OF_A_MINUTE, 640, 480)
    return write_film(path, pictures, range(0, 40 * FRAMES_OF_A_MINUTE, 40))


@pytest.fixture
def tab(page):
    """The page with the video tab in front."""
    page.get_by_role("tab", name="Video", exact=True).click()
    page.locator("#video-run").wait_for()
    return page


def status(tab):
    return tab.locator("#video-status")


def upload(tab, path):
    tab.locator("#video-upload input[type=file]").set_input_files(path)


def run_long_film(tab, film):
    """Uploads a film and presses Run; returns once some of its frames are done."""
    upload(tab, film)
    status(tab).get_by_text("Uploaded: 640 x 480 px, 60.0 s").wait_for(timeout=FIRST_ANSWER_MS)
    tab.locator("#video-run").click()
    status(tab).get_by_text(re.compile(r"[1-9]\d* of about 1500 frames, \d+ s left")).wait_for(timeout=FIRST_ANSWER_MS)
    assert 0 < float(status(tab).locator("progress").get_attribute("value")) < 1


def playing(tab):
    """Returns the player's time in seconds."""
    return tab.locator("#video-player video").evaluate("video => video.currentTime")


def download(tab, link):
    with tab.expect_download() as started:
        tab.get_by_text(link, exact=True).click()
    return started.value.path()


def files(server, except_for="nothing"):
    """Returns what the server has left, apart from matplotlib's list of fonts, which it makes once."""
    return {name for name in server.files() if not name.startswith(".cache/") and except_for not in name}


def test_the_example_plays_and_can_be_searched(tab, server):
    before = files(server)
    tab.locator("#video-example").click()
    status(tab).locator("progress").wait_for(timeout=FIRST_ANSWER_MS)
    tab.locator("#video-player video").wait_for(timeout=ANALYZED_MS)
    said = r"150 frames, 6\.0 s, analyzed by scalable-env2b0 at 128 px in \d+ ms a frame; a face in 150 of them"
    assert re.search(said, status(tab).inner_text())
    tab.wait_for_function("document.querySelector('#video-player video').readyState >= 3")
    tab.locator("#video-player video").evaluate("video => {video.muted = true; video.currentTime = 3; video.play()}")
    tab.wait_for_function("document.querySelector('#video-player video').currentTime > 3.5", timeout=20_000)
    assert playing(tab) < 6.1

    assert tab.locator("#video-person input").input_value() == "face 1: 0.0 to 6.0 s, 100% happiness"
    tab.locator("#video-timeline .scatterlayer .trace").nth(6).wait_for(timeout=20_000)
    rows = list(csv.DictReader(download(tab, "emotions.csv").read_text().splitlines()))
    assert len(rows) == 150
    assert {row["emotion"] for row in rows} == {"happiness"}
    assert len(json.loads(download(tab, "emotions.json").read_text())["rows"]) == 150
    assert b"ftyp" in download(tab, "annotated.mp4").read_bytes()[:16]
    assert files(server) <= before, "an annotated video was left behind"
    tab.set_viewport_size({"width": 390, "height": 844})
    tab.wait_for_timeout(500)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390, "a phone has to scroll sideways"
    assert not [line for line in tab.messages if line.startswith("error")]


def test_bad_files_get_a_reason_and_the_next_one_works(tab, tmp_path, astronaut):
    text = tmp_path / "text.mp4"
    text.write_text("not a video")
    upload(tab, text)
    reason = "expected a video file such as MP4, WebM, MKV, MOV or AVI, but this is none"
    alert = status(tab).get_by_role("alert")
    alert.get_by_text(reason).wait_for(timeout=FIRST_ANSWER_MS)
    tab.locator("#video-run").click()
    alert.get_by_text(reason).wait_for()
    assert str(tmp_path) not in status(tab).inner_text()

    tab.locator("#video-upload").get_by_label("Clear").click()
    status(tab).get_by_text("Upload a video, then press Run").wait_for()
    upload(tab, write_film(tmp_path / "portrait.mp4", swaying(astronaut, 20, 480, 640), range(0, 800, 40)))
    status(tab).get_by_text("Uploaded: 480 x 640 px, 0.8 s. Press Run.").wait_for(timeout=20_000)
    tab.locator("#video-run").click()
    tab.locator("#video-player video").wait_for(timeout=ANALYZED_MS)
    assert "20 frames" in status(tab).inner_text()


def test_cancel_keeps_nothing(tab, server, long_film):
    run_long_film(tab, long_film)
    tab.locator("#video-cancel").click()
    status(tab).get_by_text("nothing of it is kept").wait_for(timeout=20_000)
    assert tab.locator("#video-player video").count() == 0
    assert not tab.locator("#video-timeline").is_visible()
    assert status(tab).get_by_text("Upload a video, then press Run").is_visible(), "what to do next"


def test_closing_the_page_ends_the_work(browser, server, long_film):
    context = browser.new_context()
    tab = context.new_page()
    tab.goto(server.url)
    tab.get_by_role("tab", name="Video", exact=True).click()
    logged = server.log.read_text()
    run_long_film(tab, long_film)
    others = files(server, long_film.name)
    context.close()
    deadline = time.monotonic() + 20
    while "video: " not in (log := server.log.read_text().removeprefix(logged)):
        assert time.monotonic() < deadline, "the video goes on"
        time.sleep(0.2)
    frames = int(re.search(r"video: VideoCanceled after (\d+) frames", log)[1])
    assert frames < FRAMES_OF_A_MINUTE
    assert files(server, long_film.name) <= others, "more than the upload is there"
    assert "Traceback" not in log
    assert "private-name" not in server.log.read_text()
