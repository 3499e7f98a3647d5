"""Calibration tab in a real browser: measure, move the target, download, upload, cancel."""

import json
import re

import pytest

from tests.browser.test_live import FIRST_ANSWER_MS, start_camera

LADDER = "48,96,128,160"
MEASURED_MS = 180_000  # starting the measuring process, compiling, eight rounds
SOLVED_MS = 20_000


def open_tab(page):
    page.get_by_role("tab", name="Calibration", exact=True).click()
    page.locator("#run").wait_for()


def set_target(page, target_ms):
    field = page.locator("#target input[type=number]")
    field.fill(str(target_ms))
    field.press("Enter")


def press_run(page, ladder):
    field = page.locator("#ladder input")
    field.fill(ladder)
    field.press("Enter")
    page.locator("#run").click()


def status(page):
    return page.locator("#calibration-status")


def largest(page):
    """Returns the side in pixels of the ``largest`` answer, or None."""
    found = re.search(r"Largest: (\d+) px", page.locator("#calibration-answer").inner_text())
    return found and int(found[1])


def measured(page):
    """Returns the rows of the table of measured points as text, run counts included."""
    return page.locator("#points tbody tr").all_inner_texts()


def download(page, link):
    """Presses a download link; returns the file's path in the browser."""
    with page.expect_download() as started:
        page.locator("#downloads").get_by_text(link).click()
    return started.value.path()


@pytest.fixture
def calibrated(page):
    """The page with a quick calibration for a low target: its own, or the recent one of an earlier test's page."""
    open_tab(page)
    set_target(page, 8)
    press_run(page, LADDER)
    done = re.compile("Measured: scalable-env2b0, openvino|Another visitor measured this")
    status(page).get_by_text(done).wait_for(timeout=MEASURED_MS)
    return page


def test_measure_move_the_target_download_and_upload(calibrated, tmp_path):
    page = calibrated
    answer = page.locator("#calibration-answer")
    first, points = answer.inner_text(), measured(page)
    assert len(points) >= 4
    assert page.locator("#calibration-figure .js-plotly-plot").is_visible()
    record = json.loads(download(page, "calibration.json").read_bytes())
    assert record["target_ms"] == 8
    assert [p["resolution"] for p in record["points"] if p["role"] == "ladder"] == [48, 96, 128, 160]
    assert record["answers"]["largest"]["resolution"] == largest(page)

    # Of the points themselves, so that it is met on any machine: halfway between two of them.
    latencies = sorted(point["median_ms"] for point in record["points"])
    target_ms = max(5, round((latencies[0] + latencies[-1]) / 2))
    target_ms += target_ms == 8
    set_target(page, target_ms)
    page.wait_for_function(
        "before => document.querySelector('#calibration-answer').innerText !== before", arg=first, timeout=SOLVED_MS
    )
    answer.get_by_text(re.compile("not measured for this target|no resolution reaches")).first.wait_for()
    assert measured(page) == points, "nothing was measured again"
    again_path = tmp_path / "again.json"
    again_path.write_bytes(download(page, "calibration.json").read_bytes())
    again = json.loads(again_path.read_bytes())
    assert again["target_ms"] == target_ms
    assert again["answers"]["largest"]["resolution"] == largest(page)
    assert [p["visits_ms"] for p in again["points"]] == [p["visits_ms"] for p in record["points"]]

    table = download(page, "calibration.csv").read_text().splitlines()
    assert table[0] == "resolution,median_ms,p10_ms,p90_ms,runs"
    assert len(table) == 1 + len(points)

    page.locator("#upload input[type=file]").set_input_files(again_path)
    status(page).get_by_text("Uploaded: scalable-env2b0, openvino").wait_for(timeout=SOLVED_MS)
    answer.get_by_text("Compared").wait_for()
    page.locator("#calibration-figure .legendtext").get_by_text("compared: the same").wait_for()
    assert measured(page) == points

    damaged = tmp_path / "damaged.json"
    damaged.write_bytes(again_path.read_bytes()[:200])
    page.locator("#upload").get_by_label("Clear").click()
    status(page).get_by_text("The comparison is removed").wait_for(timeout=SOLVED_MS)
    page.locator("#upload input[type=file]").set_input_files(damaged)
    status(page).get_by_role("alert").get_by_text("damaged or of another kind").wait_for(timeout=SOLVED_MS)
    assert measured(page) == points
    assert not [line for line in page.messages if line.startswith("error")]


def test_cancel_leaves_the_last_good_calibration_and_answers_who_waited(calibrated):
    page = calibrated
    answer, points = page.locator("#calibration-answer").inner_text(), measured(page)
    press_run(page, "equispaced:40")  # long enough that no CPU is done before the cancel
    status(page).locator("progress").wait_for(timeout=SOLVED_MS)
    # Who asks for something meanwhile sees for what it waits, and gets it afterwards.
    page.get_by_role("tab", name="Live", exact=True).click()
    page.get_by_role("tab", name="Picture", exact=True).click()
    page.get_by_role("button", name="Try the example face").click()
    waiting = page.locator("#picture-answer").get_by_text("paused: this CPU is being measured")
    waiting.wait_for(timeout=60_000)
    open_tab(page)
    page.locator("#cancel").click()
    status(page).get_by_role("alert").get_by_text("the measurement was canceled").wait_for(timeout=SOLVED_MS)
    assert page.locator("#calibration-answer").inner_text() == answer
    assert measured(page) == points
    page.get_by_role("tab", name="Live", exact=True).click()
    page.locator("#picture-panel").get_by_text("happiness").first.wait_for(timeout=SOLVED_MS)
    waiting.wait_for(state="detached")


@pytest.mark.parametrize(
    ("ladder", "message"),
    [
        pytest.param("48,fast", "ladder must be 'paper'", id="text"),
        pytest.param("48,48", "48 px more than once", id="twice"),
        pytest.param("48", "2 to 40 sizes, but got 1", id="one-size"),
        pytest.param("48,9000", "1 to 640 px, but got 9000 px", id="huge"),
    ],
)
def test_unusable_ladders_are_refused_at_once(page, ladder, message):
    open_tab(page)
    press_run(page, ladder)
    status(page).get_by_role("alert").get_by_text(message).wait_for(timeout=SOLVED_MS)


def test_the_answer_for_the_larger_model_is_handed_to_the_live_tab(page):
    start_camera(page)
    page.locator("#camera-panel").get_by_text("happiness").first.wait_for(timeout=FIRST_ANSWER_MS)
    page.locator("#budget").get_by_text("95 % of the last").wait_for(timeout=FIRST_ANSWER_MS)
    page.get_by_label("I point it at myself or at people who agreed").uncheck()
    open_tab(page)
    page.get_by_label("Model", exact=True).fill("scalable-env2s")
    page.get_by_role("option", name="scalable-env2s").click()
    set_target(page, 200)
    page.locator("#meaning").get_by_text("the whole frame").click()
    press_run(page, "64,96,128")
    status(page).get_by_text("Measured: scalable-env2s, openvino").wait_for(timeout=MEASURED_MS)
    page.locator("#use").click()
    said = status(page).get_by_text(re.compile(r"now uses scalable-env2s at \d+ px"))
    said.wait_for(timeout=MEASURED_MS)
    size = re.search(r"at (\d+) px", said.inner_text())[1]
    page.get_by_role("tab", name="Live", exact=True).click()
    assert page.locator("#model input:checked").get_attribute("value") == "scalable-env2s"
    assert page.locator("#resolution input:checked").get_attribute("value") == size
