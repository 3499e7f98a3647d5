"""Started as hosts start it: as a Space, in Hugging Face's page, below a path of a proxy, and in a local network."""

import http.client
import http.server
import json
import re
import shlex
import shutil
import ssl
import subprocess
import threading
import tomllib
import urllib.request
from contextlib import contextmanager

import gradio
import pytest
import yaml
from gradio_client import Client, handle_file
from packaging.requirements import Requirement
from PIL import Image

from tabs import serving
from tests.browser.test_live import FIRST_ANSWER_MS
from tests.servers import ROOT, framing_page, start_server

# What Hugging Face sets in a Space that runs Gradio.
SPACE = {
    "SYSTEM": "spaces",
    "SPACE_ID": "somebody/fer-demo",
    "SPACE_HOST": "somebody-fer-demo.hf.space",
    "GRADIO_SERVER_NAME": "0.0.0.0",
}


def test_the_front_matter_is_what_a_space_needs():
    front = yaml.safe_load((ROOT / "README.md").read_text().split("---")[1])
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = Requirement(re.search(r"^gradio.*", (ROOT / "requirements.txt").read_text(), re.MULTILINE)[0])
    assert front["sdk"] == "gradio"
    assert front["sdk_version"] in pinned.specifier
    assert gradio.__version__ in pinned.specifier, "tested with the same"
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
    """Whatever a Space asks for, the page has its headers, and /health is no page: Node.js would answer both."""
    if rendering == "on" and not node_is_new_enough():
        pytest.skip("needs Node.js 20, by which Gradio renders on the server")
    mode = "true" if rendering == "on" else "false"
    with started(tmp_path, **SPACE, GRADIO_SSR_MODE=mode) as server:
        assert recognizes(browser, server.url) == []
        assert serving.headers().items() <= dict(urllib.request.urlopen(server.url).headers).items()
        assert json.load(urllib.request.urlopen(server.url + serving.HEALTH))["status"] == "ready"


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


def test_it_works_below_a_path_of_a_proxy(browser, tmp_path, astronaut):
    Image.fromarray(astronaut).save(tmp_path / "face.jpg")
    with started(tmp_path, GRADIO_ROOT_PATH="/demo") as server, proxy(server.url, "/demo") as outside:
        assert recognizes(browser, f"{outside}/") == []
        client = Client(outside, verbose=False)
        (face,) = client.predict(handle_file(tmp_path / "face.jpg"), api_name="/recognize")["faces"]
        assert face["emotion"] == "happiness"
        assert json.load(urllib.request.urlopen(outside + serving.HEALTH))["status"] == "ready"


def commands_of_the_readme():
    """Returns the two lines by which the README serves a local network: to make a certificate, and to serve."""
    readme = (ROOT / "README.md").read_text()
    return re.search(r"^```\n(openssl .+)\n(GRADIO_SERVER_NAME.+) fer-demo\n```", readme, re.MULTILINE).groups()


@pytest.fixture
def https(tmp_path):
    """The app over https, by the README's two lines; the address of this machine stands for the one in them."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl, by which the README makes a certificate")
    make, serve = commands_of_the_readme()
    subprocess.run(shlex.split(make.replace("192.0.2.10", "127.0.0.1")), cwd=tmp_path, check=True, capture_output=True)
    settings = dict(setting.split("=", 1) for setting in shlex.split(serve))
    files = {name: str(tmp_path / value) for name, value in settings.items() if value.endswith(".pem")}
    with started(tmp_path, **settings | files) as server:
        yield server, files["FER_DEMO_SSL_CERTFILE"], files["FER_DEMO_SSL_KEYFILE"]


def test_in_hugging_faces_page_over_https_the_camera_works(launch, film, https):
    app, certificate, key = https
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with framing_page(context) as port:
        page = launch(
            "--ignore-certificate-errors",  # made for this machine's address, not for these names
            f"--host-resolver-rules=MAP huggingface.co 127.0.0.1:{port}, MAP *.hf.space {app.url.removeprefix('https://')}",
            "--use-fake-ui-for-media-stream",
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-video-capture={film}",
        ).new_page()
        page.goto("https://huggingface.co/?https://somebody-fer-demo.hf.space")
        frame = page.frame_locator("iframe")
        frame.get_by_label("I point it at myself or at people who agreed").check()
        frame.get_by_text("Click to Access Webcam").click()
        frame.get_by_role("button", name="capture photo").click()
        frame.locator("#camera-panel").get_by_text("happiness").first.wait_for(timeout=FIRST_ANSWER_MS)
        page.close()
