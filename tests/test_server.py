"""The server as the network sees it: whom it calls, what it answers, what it hands out, and with which headers."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import subprocess
import sys
import threading
import time
import urllib.parse
from concurrent.futures import Future

import psutil
import pytest
from gradio_client import Client, handle_file
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from fer_core.recognizer import DEFAULT_MODEL
from tabs import serving
from tests.servers import ROOT, start_server

LOOPBACK = ("127.", "::1", "::ffff:127.", "localhost")

# Runs at the start of every Python process of the server: writes down whom it connects to and which names it looks up.
RECORDER = """
import os, socket
def note(kind, what):
    if what is not None and not isinstance(what, (bytes, str)):
        what = what[0]
    with open(os.environ["FER_TEST_CONNECTIONS"], "a") as file:
        print(kind, what, file=file)
class Socket(socket.socket):
    def connect(self, address):
        if self.family != socket.AF_UNIX:
            note("connect", address)
        return super().connect(address)
    def connect_ex(self, address):
        if self.family != socket.AF_UNIX:
            note("connect", address)
        return super().connect_ex(address)
    def sendto(self, *arguments):
        note("sendto", arguments[-1])
        return super().sendto(*arguments)
socket.socket = Socket
look_up = socket.getaddrinfo
def getaddrinfo(host, *arguments, **settings):
    if host is not None:
        note("look-up", host)
    return look_up(host, *arguments, **settings)
socket.getaddrinfo = getaddrinfo
note("started", str(os.getpid()))
"""


def request(server, path, method="GET", body=None, headers=None):
    """Sends a request as it is, without tidying its path; returns status, headers and body."""
    address = urllib.parse.urlsplit(server.url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=30)
    connection.putrequest(method, path, skip_accept_encoding=True)
    for name, value in (headers or {}).items():
        connection.putheader(name, value)
    if body is not None:
        connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)
    answer = connection.getresponse()
    found = answer.status, dict(answer.getheaders()), answer.read()
    connection.close()
    return found


def ready(server):
    """Waits until the model is loaded."""
    deadline = time.monotonic() + 90
    while json.loads(request(server, serving.HEALTH)[2])["status"] != "ready":
        assert time.monotonic() < deadline, server.log.read_text()
        time.sleep(0.2)


@pytest.fixture(scope="module")
def picture(tmp_path_factory, astronaut):
    path = tmp_path_factory.mktemp("pictures") / "astronaut.png"
    Image.fromarray(astronaut).save(path)
    return path


def recognized(client, picture):
    return client.predict(handle_file(picture), api_name="/recognize")["faces"]


def test_health_says_whether_the_model_is_loaded(server):
    ready(server)
    status, headers, body = request(server, serving.HEALTH)
    assert (status, headers["content-type"]) == (200, "application/json")
    assert json.loads(body) == {"status": "ready", "version": serving.version()}


def test_health_of_a_model_that_cannot_be_loaded(monkeypatch):
    failed = Future()
    failed.set_exception(ValueError("/a/path"))
    monkeypatch.setattr(serving.engine, "_loading", {DEFAULT_MODEL: failed})
    answer = serving.health(None)
    assert answer.status_code == 503
    assert json.loads(answer.body) == {"status": "broken", "version": serving.version()}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        pytest.param("/", 200, id="page"),
        pytest.param("/health", 200, id="health"),
        pytest.param("/gradio_api/info", 200, id="api"),
        pytest.param("/nothing/here", 404, id="missing"),
        pytest.param("/gradio_api/file=/etc/passwd", 403, id="refused"),
    ],
)
def test_every_answer_has_the_headers_of_a_public_page(server, path, status):
    answered, headers, _ = request(server, path)
    assert answered == status
    assert serving.headers().items() <= headers.items()
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["permissions-policy"].startswith("camera=(self)")
    assert "frame-ancestors 'self' https://huggingface.co https://*.hf.space" in headers["content-security-policy"]


def test_the_pages_that_may_frame_it_can_be_chosen(monkeypatch):
    monkeypatch.setenv("FER_DEMO_FRAME_ANCESTORS", "https://school.example")
    assert serving.headers()["content-security-policy"].endswith("frame-ancestors https://school.example")


@pytest.mark.parametrize("value", ["", "'self'; script-src *", "a.example, b.example", "a\nb", "a  b"])
def test_what_is_no_list_of_pages_is_refused(monkeypatch, value):
    monkeypatch.setenv("FER_DEMO_FRAME_ANCESTORS", value)
    with pytest.raises(ValueError, match=r"must be sources as in Content-Security-Policy.*but got"):
        serving.headers()


def test_an_unexpected_error_has_the_headers_and_tells_nothing():
    settings = serving.app_settings() | {"lifespan": None}
    failing = Starlette(**settings)
    failing.add_route("/fails", lambda request: 1 / 0)
    answer = TestClient(failing, raise_server_exceptions=False).get("/fails")
    assert (answer.status_code, answer.json()) == (500, {"detail": "Internal Server Error"})
    assert serving.headers().items() <= answer.headers.items()


SECRETS = [ROOT / "app.py", ROOT / "README.md", ROOT / "models/scalable-env2b0/metrics.json"]
ROUTES = ["/gradio_api/file=", "/file=", "/gradio_api/file/", "/gradio_api/stream/x/", "/static/", "/assets/"]


@pytest.mark.parametrize("prefix", ROUTES)
def test_the_file_routes_hand_out_nothing_of_the_server(server, prefix):
    up = ["../" * 12, "..%2f" * 12, "%2e%2e/" * 12, "..\\" * 12, "....//" * 12, "%252e%252e%252f" * 12]
    targets = ["/etc/passwd", *map(str, SECRETS)]
    tricks = [*targets, *(way + target.lstrip("/") for way in up for target in targets)]
    tricks += ["app.py", "./app.py", "models/scalable-env2b0/metrics.json", "//etc/passwd", "/proc/self/environ"]
    tricks += ["file:///etc/passwd", "/etc/passwd%00.png", str(server.log), str(server.temporary)]
    for trick in tricks:
        status, _, body = request(server, prefix + trick)
        assert status in (301, 302, 307, 308, 400, 401, 403, 404, 405, 422, 500), f"{trick}: {status}"
        for mark in (b"root:", b"import gradio", b"schema_version", b"PATH=", b"GRADIO_SERVER_PORT"):
            assert mark not in body, f"{trick} gave {body[:80]!r}"


@pytest.mark.parametrize("path", ["/monitoring", "/monitoring/summary", "/gradio_api/deep_link", "/docs"])
def test_pages_about_the_server_show_no_visitor_and_no_path(server, path):
    _, _, body = request(server, path)
    assert str(ROOT).encode() not in body
    assert str(server.temporary).encode() not in body


@pytest.mark.parametrize("path", ["/etc/passwd", str(SECRETS[1]), "../README.md"])
def test_a_path_of_the_server_is_no_upload(server, path):
    data = json.dumps({"data": [{"path": path, "meta": {"_type": "gradio.FileData"}}, 128]}).encode()
    call = "/gradio_api/call/recognize"
    status, _, body = request(server, call, "POST", data, {"Content-Type": "application/json"})
    if status == 200:
        _, _, body = request(server, f"{call}/{json.loads(body)['event_id']}")
        assert body.startswith(b"event: error")
    assert b"root:" not in body
    assert str(ROOT / "app.py").encode() not in body


def test_an_upload_over_the_limit_is_cut_off_while_it_arrives(server, picture):
    ready(server)
    before = server.files()
    address = urllib.parse.urlsplit(server.url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=60)
    chunk, sent = b"\0" * (1 << 20), 0
    head = b'--b\r\nContent-Disposition: form-data; name="files"; filename="huge.png"\r\n\r\n'
    connection.putrequest("POST", "/gradio_api/upload")
    connection.putheader("Content-Type", "multipart/form-data; boundary=b")
    connection.putheader("Content-Length", str(len(head) + 400 * len(chunk)))
    connection.endheaders(head)
    try:
        for _ in range(400):
            connection.send(chunk)
            sent += 1
    except OSError:
        pass  # cut off
    if sent == 400:
        assert connection.getresponse().status in (400, 413)
    else:
        assert sent < 400
    connection.close()
    assert not [name for name in server.files() - before if "huge" in name]
    assert recognized(Client(server.url, verbose=False), picture), "the next ordinary request succeeds"


def processes_of(process):
    parent = psutil.Process(process.pid)
    return [parent, *parent.children(recursive=True)]


def test_the_server_connects_to_nothing_but_itself(tmp_path, picture):
    """Watched twice: inside every Python process, and from outside, where native code is seen as well."""
    (tmp_path / "recorder").mkdir()
    (tmp_path / "recorder/sitecustomize.py").write_text(RECORDER)
    record, seen, over = tmp_path / "connections", set(), threading.Event()
    process, server = start_server(
        tmp_path, PYTHONPATH=str(tmp_path / "recorder"), FER_TEST_CONNECTIONS=str(record), GRADIO_ANALYTICS_ENABLED=""
    )

    def watch():
        while not over.wait(0.05):
            for each in processes_of(process):
                try:
                    seen.update(one.raddr.ip for one in each.net_connections("inet") if one.raddr)
                except psutil.Error:
                    continue  # it has just ended

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        ready(server)
        client = Client(server.url, verbose=False)
        assert recognized(client, picture)
        assert client.predict("scalable-env2b0", "openvino", 40, "48,64", api_name="/calibrate")["points"]
        time.sleep(1)
    finally:
        over.set()
        watcher.join()
        process.terminate()
        process.wait(20)
    lines = record.read_text().split("\n")
    assert len({line for line in lines if line.startswith("started")}) >= 2, "the measuring process is watched too"
    called = {line.partition(" ")[2] for line in lines if line.startswith(("connect", "sendto", "look-up"))}
    assert called, "Gradio asks its own page at the start"
    assert [who for who in called | seen if not who.startswith(LOOPBACK)] == []
    assert not re.search(r"gradio\.live|public URL", server.log.read_text())


# Runs where there is no network but loopback, which is down at first.
ALONE = """
import fcntl, json, socket, struct, sys, urllib.request
from pathlib import Path
with socket.socket() as any_socket:
    fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP
from gradio_client import Client, handle_file
from tests.servers import start_server
process, server = start_server(Path(sys.argv[1]))
try:
    print(Client(server.url, verbose=False).predict(handle_file(sys.argv[2]), api_name="/recognize")["faces"])
finally:
    process.terminate()
    process.wait(20)
"""


def test_it_starts_and_answers_without_a_network(tmp_path, picture):
    alone = ["unshare", "--net", "--map-root-user"]
    if shutil.which("unshare") is None or subprocess.run([*alone, "true"], capture_output=True).returncode:
        pytest.skip("needs the right to make a network namespace (unshare --net)")
    command = [*alone, sys.executable, "-c", ALONE, str(tmp_path), str(picture)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    assert "happiness" in done.stdout


def upload(server, path):
    """Uploads a file as a browser does; returns status and body."""
    head = f'--b\r\nContent-Disposition: form-data; name="files"; filename="{path.name}"\r\n\r\n'.encode()
    body = head + path.read_bytes() + b"\r\n--b--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    status, _, answer = request(server, "/gradio_api/upload", "POST", body, headers)
    return status, answer


def example(server):
    """Asks for the example face as a program does; returns what came."""
    call = "/gradio_api/call/recognize_example"
    data = json.dumps({"data": ["largest", 128, 0.4, False, DEFAULT_MODEL]}).encode()
    _, _, answer = request(server, call, "POST", data, {"Content-Type": "application/json"})
    return request(server, f"{call}/{json.loads(answer)['event_id']}")[2]


def test_on_a_full_disk_an_upload_fails_and_the_rest_works(picture, tmp_path):
    if shutil.which("prlimit") is None:
        pytest.skip("needs prlimit, by which files get a largest size as on a disk that is nearly full")
    assert picture.stat().st_size > 200_000
    process, server = start_server(tmp_path, "prlimit", "--fsize=200000")
    try:
        ready(server)
        status, answer = upload(server, picture)
        assert status >= 400
        assert str(server.temporary).encode() not in answer
        assert b"happiness" in example(server)
        small = tmp_path / "small.jpg"
        Image.open(picture).convert("RGB").save(small, quality=80)
        assert upload(server, small)[0] == 200, "where there is room the next one succeeds"

        # A folder that cannot be written into, for root neither.
        folder = server.temporary / "gradio"
        shutil.rmtree(folder)
        folder.touch()
        status, answer = upload(server, small)
        assert status >= 400
        assert str(server.temporary).encode() not in answer
        assert b"happiness" in example(server)
        folder.unlink()
        assert upload(server, small)[0] == 200, "and again once it can"
    finally:
        process.terminate()
        process.wait(20)
