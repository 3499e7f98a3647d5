"""A real server for tests: ``python app.py`` in a process of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
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

    Temporary files and home lie under ``folder``.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    temporary = folder / "temporary"
    temporary.mkdir()
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
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            urllib.request.urlopen(url, timeout=2)
            return process, Server(url, temporary, log)
        except (urllib.error.URLError, OSError):
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                raise RuntimeError(f"the app did not answer: {log.read_text()}") from None
            time.sleep(0.2)
