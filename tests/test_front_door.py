"""What strangers ask of Gradio that this page does not need: other hosts, files on the disk, bodies without end."""

from __future__ import annotations

import http.client
import json
import socket
from urllib.parse import urlsplit

import pytest

from tabs.front_door import LARGEST_MESSAGE, LARGEST_UPLOAD
from tests.servers import start_server
from tests.test_server import request


@pytest.mark.parametrize(
    ("method", "path"),
    [
        pytest.param("GET", "/gradio_api/file=http://example.com/a.png", id="fetch"),
        pytest.param("GET", "/gradio_api/file=HTTPS://example.com/a.png", id="fetch-capitals"),
        pytest.param("HEAD", "/gradio_api/file=https://example.com/a.png", id="fetch-head"),
        pytest.param("GET", "/gradio_api/file/https://example.com/a.png", id="fetch-old-form"),
        pytest.param("GET", "/gradio_api/file=https%3A%2F%2Fexample.com/a.png", id="fetch-quoted"),
        pytest.param("GET", "/gradio_api/proxy=https://example.com", id="proxy"),
        pytest.param("GET", "/gradio_api/deep_link?session_hash=a", id="state-to-disk"),
        pytest.param("POST", "/gradio_api/process_recording", id="recording-to-disk"),
        pytest.param("POST", "/gradio_api/component_server", id="files-for-components"),
        pytest.param("POST", "/gradio_api/vibe-code/", id="source-written"),
        pytest.param("GET", "/gradio_api/vibe-code", id="source-read"),
    ],
)
def test_routes_that_nobody_needs_are_closed(server, method, path):
    status, headers, _ = request(server, path, method)
    assert status == 404
    assert headers["x-content-type-options"] == "nosniff"


# --- sizes


def send_until_answered(server, head: bytes, most: int) -> tuple[bytes, int]:
    """Sends pieces without end until the server answers; returns its first line and how many bytes were sent."""
    address = urlsplit(server.url)
    piece = b"x" * 1_000_000
    sent = 0
    with socket.create_connection((address.hostname, address.port), timeout=60) as connection:
        connection.sendall(head)
        try:
            while sent < most:
                connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
                sent += len(piece)
                connection.setblocking(False)
                try:
                    if answer := connection.recv(4096):
                        return answer.partition(b"\r\n")[0], sent
                except BlockingIOError:
                    pass
                finally:
                    connection.settimeout(60)
            return connection.recv(4096).partition(b"\r\n")[0], sent
        except (BrokenPipeError, ConnectionResetError):
            return b"", sent


FILE = b'--b\r\nContent-Disposition: form-data; name="%s"; filename="large.mp4"\r\n\r\n'


@pytest.mark.parametrize(
    ("route", "start", "limit"),
    [
        pytest.param(b"/gradio_api/upload", FILE % b"files", LARGEST_UPLOAD, id="upload"),
        pytest.param(b"/gradio_api/upload", FILE % b"others", LARGEST_UPLOAD, id="upload-in-another-field"),
        pytest.param(b"/gradio_api/call/solve", b'{"data": ["', LARGEST_MESSAGE, id="call"),
        pytest.param(b"/gradio_api/queue/join", b'{"data": ["', LARGEST_MESSAGE, id="join"),
    ],
)
def test_bodies_over_the_limit_are_cut_off_while_they_arrive(server, route, start, limit):
    before = server.files()
    kind = b"multipart/form-data; boundary=b" if start.startswith(b"--b") else b"application/json"
    head = b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\n" % (route, kind)
    head += b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (len(start), start)
    said, sent = send_until_answered(server, head, 4 * limit)
    assert said.split(b" ")[1:2] in ([b"413"], [b"400"], []), said
    assert sent < 2 * limit, "the server took more than twice the limit"
    assert server.files() <= before, "a part of it was left behind"
    assert request(server, "/health")[0] == 200


def test_many_files_in_one_upload_share_the_limit(server):
    before = server.files()
    part = FILE % b"files" + b"x" * 20_000_000 + b"\r\n"
    kind = {"Content-Type": "multipart/form-data; boundary=b", "Transfer-Encoding": "chunked"}
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=60)
    status = None
    try:
        connection.request("POST", "/gradio_api/upload", iter([part] * 3 + [b"--b--\r\n"]), kind, encode_chunked=True)
        status = connection.getresponse().status
    except (BrokenPipeError, ConnectionResetError):
        pass  # cut off before it was all sent
    finally:
        connection.close()
    assert status in (None, 413)
    assert server.files() <= before


# --- addresses

# Python runs this at the start of every process of the server, and calls the hook before a connection or a look-up.
HOOK = """
import os, socket, sys

def stays(host):
    host = host.decode() if isinstance(host, bytes) else host
    return not host or host.startswith("127.") or host in ("::1", "localhost", "0.0.0.0", "::")

def watch(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        made, address = arguments
        if made.family not in (socket.AF_INET, socket.AF_INET6) or address is None or stays(address[0]):
            return
    elif event in ("socket.getaddrinfo", "socket.gethostbyname") and not stays(arguments[0]):
        address = arguments[0]
    else:
        return
    with open(os.environ["WATCHED"], "a") as log:
        print(event, address, file=log)
    raise OSError(101, "Network is unreachable")

sys.addaudithook(watch)
"""


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """A server that may not ask another host, and a function that says what it asked nevertheless."""
    folder = tmp_path_factory.mktemp("watched")
    (folder / "sitecustomize.py").write_text(HOOK)
    log = folder / "asked"
    log.touch()
    process, server = start_server(folder, PYTHONPATH=str(folder), WATCHED=str(log))
    yield server, log
    process.terminate()
    process.wait(20)


@pytest.fixture
def asked(watched):
    _, log = watched
    log.write_text("")
    return log.read_text


ADDRESS = "https://example.com/face.png"
GIVEN = {"path": ADDRESS, "url": ADDRESS, "meta": {"_type": "gradio.FileData"}}


@pytest.mark.parametrize(
    ("operation", "data"),
    [
        pytest.param("recognize", [GIVEN, 128], id="recognize"),
        pytest.param("recognize_picture", [GIVEN, "largest", 128, 0.4, False, "scalable-env2b0"], id="live-tab"),
        pytest.param("recognize_picture", [None, GIVEN, 128, 0.4, False, "scalable-env2b0"], id="another-input"),
        pytest.param("solve", [{"deep": [GIVEN]}, 40], id="deep-inside"),
        pytest.param("calibrate", [GIVEN, "openvino", 40, "paper", "robust"], id="calibrate"),
    ],
)
def test_no_operation_makes_the_server_ask_another_host(watched, asked, operation, data):
    server, _ = watched
    call = f"/gradio_api/call/{operation}"
    kind = {"Content-Type": "application/json"}
    status, _, answer = request(server, call, "POST", json.dumps({"data": data}).encode(), kind)
    assert status == 200
    _, _, events = request(server, f"{call}/{json.loads(answer)['event_id']}")
    assert events.startswith(b"event: error")
    assert asked() == ""


@pytest.mark.parametrize("route", ["file=", "file/", "file=%20"])
def test_no_route_makes_the_server_ask_another_host(watched, asked, route):
    request(watched[0], f"/gradio_api/{route}{ADDRESS}")
    assert asked() == ""
