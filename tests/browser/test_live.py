"""Live tab in a real browser: webcam stream, uploads, bad files, and nothing left behind."""

import re
import socket
import time
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

FIRST_ANSWER_MS = 60_000  # the model is still being loaded and compiled


def start_camera(page):
    page.get_by_label("I point it at myself or at people who agreed").check()
    page.get_by_text("Click to Access Webcam").click()
    page.get_by_role("button", name="capture photo").click()


def upload(page, path):
    page.get_by_role("tab", name="Picture", exact=True).click()
    clear = page.locator("#picture").get_by_label("Clear")
    if clear.is_visible():
        clear.click()
    page.locator("#picture input[type=file]").set_input_files(path)


def decoded_size(page, selector):
    """Waits for an answered picture and returns its size in pixels and the kind of its address."""
    image = page.locator(f"{selector} img")
    image.wait_for(timeout=FIRST_ANSWER_MS)
    return image.evaluate("image => [image.naturalWidth, image.naturalHeight, image.src.slice(0, 23)]")


def count_answers(page):
    """Begins to count the answers as the page shows them, and to list what the panel says of each."""
    page.evaluate("""() => {
        window.answers = 0;
        window.panels = [];
        new MutationObserver(() => {
            window.answers++;
            window.panels.push(document.querySelector('#camera-panel').innerText);
        }).observe(document.querySelector('#camera-answer img'), {attributes: true, attributeFilter: ['src']});
    }""")


def test_webcam_stream_is_labeled_and_leaves_no_file(page, server):
    assert page.locator("#camera video").count() == 0, "no camera before the tick"
    start_camera(page)
    panel, budget = page.locator("#camera-panel"), page.locator("#budget")
    panel.get_by_text("happiness").first.wait_for(timeout=FIRST_ANSWER_MS)
    assert decoded_size(page, "#camera-answer") == [640, 480, "data:image/jpeg;base64,"]
    before = server.files()  # after the first call, with which Gradio lets matplotlib write its list of fonts
    count_answers(page)
    page.wait_for_function("window.answers >= 100", timeout=120_000)
    text = panel.inner_text()
    assert re.search(r"happiness confidence \d+%", text)
    assert re.search(r"found\s+1 face", text)
    assert re.search(r"this face\s+\d+ px", text)
    assert re.search(r"scalable-env2b0 sees\s+128 x 128 px", text)
    numbers = [re.search(r"followed as\s+number (\d+)", shown) for shown in page.evaluate("window.panels")]
    assert len({found[1] for found in numbers if found}) == 1, "one person, one number"
    assert sum(found is not None for found in numbers) >= 0.99 * len(numbers)
    text = budget.inner_text()
    for stage in ("decode", "detect", "track", "classify", "draw", "encode", "total"):
        assert re.search(rf"{stage}\s+\d+\.\d\s+\d+\.\d", text), f"{stage}: this frame and the 95th percentile"
    assert re.search(r"This frame: \d+ ms of 40 ms", text)
    assert re.search(r"Analyzed: \d+\.\d frames/s", text)
    assert server.files() <= before, "100 frames left files behind"
    page.get_by_role("button", name="capture photo").click()  # stop
    assert not [line for line in page.messages if line.startswith("error")]


def test_settings_reach_the_running_stream(page):
    page.locator("#camera-size").get_by_text("320 x 240").click()
    start_camera(page)
    panel, budget = page.locator("#camera-panel"), page.locator("#budget")
    panel.get_by_text("happiness").first.wait_for(timeout=FIRST_ANSWER_MS)
    assert decoded_size(page, "#camera-answer")[:2] == [320, 240]
    page.get_by_label("Show why").check()
    panel.get_by_text("a grid of 4 x 4 fields").wait_for(timeout=20_000)
    page.locator("#resolution").get_by_text("64", exact=True).click()
    panel.get_by_text("a grid of 2 x 2 fields").wait_for(timeout=20_000)
    page.get_by_label("Show why").uncheck()
    panel.get_by_text("a grid of").wait_for(state="detached", timeout=20_000)
    page.locator("#model").get_by_text("scalable-env2s").click()
    panel.get_by_text("scalable-env2s sees").wait_for(timeout=60_000)  # it is loaded first
    page.locator("#resolution").get_by_text("follow the calibration").click()
    panel.get_by_text(re.compile("press Run|ten camera frames|calibration says|no resolution", re.I)).wait_for()
    field = page.locator("#frame-target input[type=number]")
    field.fill("77")
    field.press("Enter")
    budget.get_by_text("of 77 ms").wait_for(timeout=20_000)
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.locator(".fer-budget-bar").bounding_box()["width"] > 250, "squeezed on a phone"
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert not [line for line in page.messages if line.startswith("error")]


def test_taking_the_tick_back_removes_the_camera(page):
    start_camera(page)
    page.locator("#camera-panel").get_by_text("happiness").first.wait_for(timeout=FIRST_ANSWER_MS)
    page.get_by_label("I point it at myself or at people who agreed").uncheck()
    page.locator("#camera video").wait_for(state="detached", timeout=10_000)


def test_example_face(page):
    page.get_by_role("tab", name="Picture", exact=True).click()
    page.get_by_role("button", name="Try the example face").click()
    assert decoded_size(page, "#picture-answer")[:2] == [512, 512]
    bars = page.locator("#picture-panel .fer-bars")
    assert "the highest is happiness" in bars.get_attribute("aria-label")
    values = [int(value.rstrip("%")) for value in bars.locator(".fer-value").all_inner_texts()]
    assert len(values) == 7
    assert sum(values) == pytest.approx(100, abs=4)
    plain = page.locator("#picture-answer img").get_attribute("src")
    page.get_by_label("Show why").check()
    page.locator("#picture-panel").get_by_text("a grid of 4 x 4 fields").wait_for(timeout=20_000)
    assert page.locator("#picture-answer img").get_attribute("src") != plain


def test_uploaded_picture_and_choice_among_faces(page, astronaut, tmp_path):
    face = astronaut[:256, 96:352]
    small = np.asarray(Image.fromarray(face).resize((192, 192)))
    canvas = np.full((256, 512, 3), 90, np.uint8)
    canvas[:, :256] = face
    canvas[:192, 288:480] = small
    path = tmp_path / "two.png"
    Image.fromarray(canvas).save(path)
    upload(page, path)
    panel = page.locator("#picture-panel")
    panel.get_by_text("2 faces").wait_for(timeout=FIRST_ANSWER_MS)

    def face_size():
        return int(re.search(r"this face\s+(\d+) px", panel.inner_text())[1])

    largest = face_size()
    page.locator("#face-choice").get_by_text("2nd").click()
    page.wait_for_function(
        f"!document.querySelector('#picture-panel').innerText.match(/this face\\s+{largest} px/)", timeout=10_000
    )
    assert face_size() < largest
    page.locator("#face-choice").get_by_text("5th").click()
    panel.get_by_text("Only 2 faces here").wait_for(timeout=10_000)


def test_bad_files_get_a_reason_and_the_next_one_works(page, astronaut, tmp_path):
    panel = page.locator("#picture-panel")
    text = tmp_path / "text.png"
    text.write_text("not a picture")
    upload(page, text)
    panel.get_by_role("alert").get_by_text("expected a picture as JPEG").wait_for(timeout=FIRST_ANSWER_MS)
    assert str(tmp_path) not in panel.inner_text()

    bomb = tmp_path / "bomb.png"
    Image.new("1", (10_000, 6_000)).save(bomb)
    upload(page, bomb)
    panel.get_by_text("at most 50 megapixels, but has 60.0").wait_for(timeout=20_000)

    empty = tmp_path / "gray.png"
    Image.new("L", (300, 300), 128).save(empty)
    upload(page, empty)
    panel.get_by_text("No face found").wait_for(timeout=20_000)

    good = tmp_path / "good.png"
    Image.fromarray(astronaut).save(good)
    upload(page, good)
    panel.get_by_text("1 face").wait_for(timeout=20_000)


def test_48_megapixels_are_answered(page, astronaut, tmp_path):
    path = tmp_path / "large.jpg"
    Image.fromarray(astronaut[:384]).resize((8000, 6000)).save(path, quality=80)
    upload(page, path)
    page.locator("#picture-panel").get_by_text("1 face").wait_for(timeout=FIRST_ANSWER_MS)
    assert max(decoded_size(page, "#picture-answer")[:2]) == 1280


def hang_up_midway(server):
    """Begins an upload whose sender hangs up when a part of it has arrived."""
    before = server.files()
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port), timeout=20) as connection:
        connection.sendall(
            b"POST /gradio_api/upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999999\r\n"
            b"Content-Type: multipart/form-data; boundary=b\r\n\r\n"
            b'--b\r\nContent-Disposition: form-data; name="files"; filename="half.png"\r\n\r\nhalf a face'
        )
        deadline = time.monotonic() + 20
        while not any(name.startswith("gradio/tmp") for name in server.files() - before):
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_uploads_are_gone_within_two_minutes(page, server, astronaut, tmp_path):
    before = server.files()
    hang_up_midway(server)
    path = tmp_path / "mine.png"
    Image.fromarray(astronaut).save(path)
    upload(page, path)
    page.locator("#picture-panel").get_by_text("1 face").wait_for(timeout=FIRST_ANSWER_MS)
    left = {name for name in server.files() - before if re.search(r"mine\.png$|^gradio/tmp", name)}
    assert len(left) == 2, "Gradio keeps the upload for a minute, and half an upload until it is swept away"
    deadline = time.monotonic() + 120
    while left & server.files():
        assert time.monotonic() < deadline, sorted(server.files() - before)
        time.sleep(2)


@pytest.mark.parametrize(
    ("width", "height", "theme"),
    [
        pytest.param(390, 844, "light", id="phone"),
        pytest.param(1280, 900, "dark", id="laptop-dark"),
        pytest.param(1920, 1080, "light", id="projector"),
    ],
)
def test_every_tab_fits_the_screen(page, server, width, height, theme):
    page.set_viewport_size({"width": width, "height": height})
    page.goto(f"{server.url}/?__theme={theme}")
    for name in ("Live", "Video", "Calibration", "Results"):
        page.get_by_role("tab", name=name, exact=True).click()
        page.wait_for_timeout(500)
        scroll = page.evaluate("document.documentElement.scrollWidth")
        assert scroll <= width, f"{name} is {scroll} px wide on a screen of {width} px"


def test_the_log_names_no_picture(page, server, astronaut, tmp_path):
    path = tmp_path / "private-name.png"
    Image.fromarray(astronaut).save(path)
    upload(page, path)
    page.locator("#picture-panel").get_by_text("1 face").wait_for(timeout=FIRST_ANSWER_MS)
    log = server.log.read_text()
    assert "private-name" not in log
    assert "Traceback" not in log
