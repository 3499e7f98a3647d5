"""Real servers for tests: ``python app.py`` in a process of its own, and a page of somebody else that frames it."""

from __future__ import annotations

import http.server
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
START_SECONDS = 60


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


def start_server(folder: Path, *wrapper: str, **environment: str) -> tuple[subprocess.Popen, Server]:
    """Starts ``python app.py``, inside another command if one is given, on a free port.

    Temporary files and home lie under ``folder``. With a certificate among the environment it serves https, and the
    certificate must be good for 127.0.0.1.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    temporary = folder / "temporary"
    temporary.mkdir()
    certificate = environment.get("FER_DEMO_SSL_CERTFILE")
    # On a build server Gradio behaves as if it were offline.
    inherited = {name: value for name, value in os.environ.items() if name != "CI"}
    environment = inherited | {
        "GRADIO_SERVER_PORT": str(port),
        "TMPDIR": str(temporary),
        "GRADIO_TEMP_DIR": str(temporary / "gradio"),
        "HOME": str(temporary),
        **environment,
    }
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*wrapper, sys.executable, "app.py"], cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    url = f"{'https' if certificate else 'http'}://127.0.0.1:{port}"
    trusted = ssl.create_default_context(cafile=certificate) if certificate else None
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            urllib.request.urlopen(url, timeout=2, context=trusted)
            return process, Server(url, temporary, log)
        except (urllib.error.URLError, OSError):
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                raise RuntimeError(f"the app did not answer: {log.read_text()}") from None
            time.sleep(0.2)


class _Frame(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        shown = self.path.removeprefix("/?")
        frame = f'<iframe src="{shown}" allow="camera" width="1200" height="900"></iframe>'
        self.wfile.write(f"<!doctype html>{frame}".encode())

    def log_message(self, *arguments):
        pass


@contextmanager
def framing_page(tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Serves a page that shows the address in its query in a frame with a camera; yields the port."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Frame)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
