"""Started as hosts start it: on a Space, with and without rendering on the server, and below a path of a proxy."""

import http.client
import http.server
import re
import shutil
import subprocess
import threading
import tomllib
from contextlib import contextmanager

import gradio
import pytest
import yaml

from tests.browser.test_live import FIRST_ANSWER_MS
from tests.servers import ROOT, start_server

# What Hugging Face sets in a Space that runs Gradio.
SPACE = {"SYSTEM": "spaces", "SPACE_ID": "somebody/fer-demo", "SPACE_HOST": "somebody-fer-demo.hf.space"}


def test_the_front_matter_is_what_a_space_needs():
    front = yaml.safe_load((ROOT / "README.md").read_text().split("---")[1])
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = re.search(r"^gradio>=(\d+\.\d+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE)[1]
    assert front["sdk"] == "gradio"
    assert front["sdk_version"].startswith(f"{pinned}.")
    assert gradio.__version__.startswith(f"{pinned}.")
    assert f">={front['python_version']}" == project["requires-python"]
    assert (ROOT / front["app_file"]).is_file()
    assert project["license"].lower().startswith(f"{front['license']} and "), "of the code; the weights have their own"
    assert len(front["short_description"]) <= 60
    assert front["suggested_hardware"] == "cpu-basic"


def recognizes(browser, url):
    """Opens the page and tries the example face; returns what its console said of errors."""
    page = browser.new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    try:
        page.goto(url)
        page.get_by_role("tab", name="Picture", exact=True).click()
        page.get_by_role("button", name="Try the example face").click()
        page.locator("#picture-panel").get_by_text("happiness").first.wait_for(timeout=FIRST_ANSWER_MS)
    finally:
        page.close()
    return errors


@contextmanager
def started(folder, **environment):
    process, server = start_server(folder, **environment)
    try:
        yield server
    finally:
        process.terminate()
        process.wait(20)


def node_is_new_enough():
    """Gradio renders on the server by Node.js, 20 or newer."""
    if shutil.which("node") is None:
        return False
    said = subprocess.run(["node", "--version"], capture_output=True, text=True).stdout
    return int(re.match(r"v(\d+)", said)[1]) >= 20


@pytest.mark.parametrize("rendering", ["on", "off"])
def test_it_starts_as_on_a_space(browser, tmp_path, rendering):
    if rendering == "on" and not node_is_new_enough():
        pytest.skip("needs Node.js 20, by which Gradio renders on the server")
    mode = "true" if rendering == "on" else "false"
    with started(tmp_path, **SPACE, GRADIO_SSR_MODE=mode) as server:
        assert recognizes(browser, server.url) == []
        assert ("SSR" in server.log.read_text()) == (rendering == "on")


@contextmanager
def proxy(target, path):
    """A reverse proxy that serves an address below a path; yields its own address."""
    host, port = target.removeprefix("http://").split(":")

    class Handler(http.server.BaseHTTPRequestHandler):
        def forward(self):
            if not self.path.startswith(path):
                self.send_error(404)
                return
            connection = http.client.HTTPConnection(host, int(port), timeout=120)
            length = int(self.headers.get("Content-Length", 0))
            body = self.rfile.read(length) if length else None
            connection.request(self.command, self.path.removeprefix(path) or "/", body, dict(self.headers))
            answer = connection.getresponse()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                    self.send_header(name, value)
            self.send_header("Connection", "close")
            self.end_headers()
            while part := answer.read1(65536):
                self.wfile.write(part)
                self.wfile.flush()
            connection.close()

        do_GET = do_POST = do_HEAD = forward

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}{path}"
    server.shutdown()


def test_it_works_below_a_path_of_a_proxy(browser, tmp_path):
    with started(tmp_path, GRADIO_ROOT_PATH="/demo") as server, proxy(server.url, "/demo") as outside:
        assert recognizes(browser, f"{outside}/") == []
