"""The page as a stranger meets it: in a frame, over plain http, without a camera, and what it asks and keeps."""

import urllib.request

import pytest
from PIL import Image

from tests.browser.test_calibration import MEASURED_MS, press_run, status
from tests.browser.test_live import FIRST_ANSWER_MS, start_camera, upload
from tests.servers import framing_page, start_server

TABS = ("Live", "Video", "Calibration", "Results")

# All that a browser can keep of a page, by kind: names and contents.
KEPT = """async () => {
    const databases = await indexedDB.databases();
    const caches_ = 'caches' in window ? await caches.keys() : [];
    const dump = (storage) => Object.entries(storage).map(([name, value]) => [name, value.length]);
    return {local: dump(localStorage), session: dump(sessionStorage), cookies: document.cookie,
            databases: databases.map(one => one.name), caches: caches_};
}"""


def open_tab(page, name):
    page.get_by_role("tab", name=name, exact=True).click()


def test_every_tab_in_use_asks_nobody_else_and_keeps_no_picture(browser, server, astronaut, tmp_path):
    context = browser.new_context()
    page = context.new_page()
    requests = []
    context.on("request", lambda request: requests.append(request.url))
    page.goto(server.url)
    start_camera(page)
    page.locator("#camera-panel").get_by_text("happiness").first.wait_for(timeout=FIRST_ANSWER_MS)
    page.get_by_role("button", name="capture photo").click()  # stop
    path = tmp_path / "mine.png"
    Image.fromarray(astronaut).save(path)
    upload(page, path)
    page.locator("#picture-panel").get_by_text("1 face").wait_for(timeout=FIRST_ANSWER_MS)
    page.get_by_role("button", name="Try the example face").click()
    page.get_by_label("Show why").check()
    page.locator("#picture-panel").get_by_text("a grid of").wait_for(timeout=20_000)
    open_tab(page, "Video")
    page.locator("#video-example").click()
    page.locator("#video-player video").wait_for(timeout=MEASURED_MS)
    open_tab(page, "Calibration")
    press_run(page, "48,64")
    status(page).get_by_text("Measured:").or_(status(page).get_by_text("Another visitor")).wait_for(timeout=MEASURED_MS)
    page.locator("#calibration-figure .main-svg").first.wait_for()
    open_tab(page, "Results")
    page.locator("#confusion-figure .main-svg").first.wait_for(timeout=20_000)
    with page.expect_download():
        page.locator("#results-downloads a").first.click()
    kept = page.evaluate(KEPT)
    cookies = context.cookies()
    context.close()
    assert len(requests) > 20
    assert [url for url in requests if not url.startswith((server.url, "data:", "blob:"))] == []
    assert kept["databases"] == kept["caches"] == []
    assert (kept["cookies"], cookies) == ("", [])
    sizes = dict(kept["local"] + kept["session"])
    assert sum(sizes.values()) < 2000, f"the smallest JPEG of a face is larger: {sizes}"


@pytest.fixture
def framing():
    """A page of another host that shows an address in a frame with a camera; returns its address for it."""
    with framing_page() as port:
        yield f"http://localhost:{port}/?"


def test_a_strangers_page_may_not_frame_it(browser, server, framing):
    page = browser.new_page()
    messages = []
    page.on("console", lambda line: messages.append(line.text))
    page.goto(framing + server.url)
    page.wait_for_timeout(1500)
    assert page.frame_locator("iframe").get_by_role("tab", name="Live").count() == 0
    assert any("frame-ancestors" in text for text in messages)
    page.close()


def test_in_a_frame_that_is_allowed_it_works_with_its_camera(browser, framing, tmp_path):
    allowed = "'self' http://localhost:*"
    process, server = start_server(tmp_path, FER_DEMO_FRAME_ANCESTORS=allowed)
    page = browser.new_page()
    try:
        page.goto(framing + server.url)
        frame = page.frame_locator("iframe")
        frame.get_by_label("I point it at myself or at people who agreed").check()
        frame.get_by_text("Click to Access Webcam").click()
        frame.get_by_role("button", name="capture photo").click()
        frame.locator("#camera-panel").get_by_text("happiness").first.wait_for(timeout=FIRST_ANSWER_MS)
    finally:
        page.close()
        process.terminate()
        process.wait(20)


def test_over_plain_http_it_says_why_there_is_no_camera(launch, server):
    browser = launch("--host-resolver-rules=MAP demo.test 127.0.0.1", "--use-fake-device-for-media-stream")
    page = browser.new_page()
    page.goto(server.url.replace("127.0.0.1", "demo.test"))
    page.locator("#camera-notice").get_by_text("only on https or localhost").wait_for()
    page.get_by_role("tab", name="Picture", exact=True).click()
    page.get_by_role("button", name="Try the example face").click()
    page.locator("#picture-panel").get_by_text("happiness").first.wait_for(timeout=FIRST_ANSWER_MS)
    page.close()


def test_without_a_camera_it_says_so(launch, server):
    page = launch().new_page()
    page.goto(server.url)
    page.locator("#camera-notice").get_by_text("no camera that the browser can see").wait_for()
    page.close()


def test_a_refused_camera_is_told_with_the_way_out(launch, server):
    # Without a fake dialog a headless browser refuses whatever was not granted before.
    context = launch("--use-fake-device-for-media-stream").new_context()
    page = context.new_page()
    page.goto(server.url)
    page.get_by_label("I point it at myself or at people who agreed").check()
    page.get_by_text("Click to Access Webcam").click()
    page.locator("#camera-notice").get_by_text("The browser refuses this page the camera").wait_for(timeout=20_000)
    page.get_by_role("tab", name="Picture", exact=True).click()
    page.get_by_role("button", name="Try the example face").click()
    page.locator("#picture-panel").get_by_text("happiness").first.wait_for(timeout=FIRST_ANSWER_MS)
    context.close()


def test_switched_off_there_is_neither_camera_nor_upload_and_the_rest_stays(browser, tmp_path):
    process, server = start_server(tmp_path, FER_DEMO_CAMERA="off")
    page = browser.new_page()
    try:
        page.goto(server.url)
        page.locator("#picture-panel").get_by_text("takes neither a camera nor uploads").wait_for()
        assert page.get_by_role("tab", name="Webcam").count() == 0
        assert page.locator("#picture, #camera, #consent").count() == 0
        page.get_by_role("button", name="Try the example face").click()
        page.locator("#picture-panel").get_by_text("happiness").first.wait_for(timeout=FIRST_ANSWER_MS)
        page.get_by_label("Show why").check()
        page.locator("#picture-panel").get_by_text("a grid of").wait_for(timeout=20_000)
        open_tab(page, "Video")
        page.locator("#video-status").get_by_text("takes no uploads").wait_for()
        assert page.locator("#video-upload").count() == 0
        assert not page.locator("#video-run").is_visible()
        open_tab(page, "Calibration")
        page.locator("#run").wait_for()
        assert page.locator("#meaning:visible, #use:visible").count() == 0
        open_tab(page, "Results")
        page.locator("#table-2 table").wait_for()
        info = urllib.request.urlopen(f"{server.url}/gradio_api/info").read().decode()
        assert '"/recognize"' not in info
        assert '"/recognize_picture"' not in info
        assert '"/video"' not in info
        assert '"/calibrate"' in info
    finally:
        page.close()
        process.terminate()
        process.wait(20)
