"""Deletes uploads that Gradio forgot: those whose sender hung up midway, and those of a server that was killed."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

OLDEST_SECONDS = 65.0
"""Age of an upload that is swept away. Gradio deletes those it knows when they are 60 s old."""

EVERY_SECONDS = 30.0

# Gradio writes an upload as tmp..., then moves it into a folder named by a hash.
_FOLDER = re.compile(r"[0-9a-f]{64}")
_PARTIAL = re.compile(r"tmp\w+")

logger = logging.getLogger(__name__)


def own_folder() -> str:
    """Returns a folder for uploads that no other program of this machine shares."""
    return str(Path(tempfile.gettempdir()) / f"fer-demo-{getattr(os, 'getuid', int)()}")


def sweep(folder: Path, oldest_seconds: float = OLDEST_SECONDS) -> None:
    """Deletes the uploads in a folder that nobody has written to for some time.

    Args:
        folder: Gradio's folder for uploads; whatever else lies in it stays.
        oldest_seconds: Age from which they are deleted.
    """
    now = time.time()
    for path in [*folder.glob("tmp*"), *folder.glob("*/*")]:
        ours = _PARTIAL.fullmatch(path.name) if path.parent == folder else _FOLDER.fullmatch(path.parent.name)
        # Somebody else may have deleted it meanwhile.
        with suppress(OSError):
            state = path.lstat()
            if ours and not path.is_dir() and now - state.st_mtime > oldest_seconds:
                path.unlink()
    for path in folder.glob("*"):
        if _FOLDER.fullmatch(path.name):
            # A folder that holds something stays, and so does a fresh one, into which a file is about to be moved.
            with suppress(OSError):
                if now - path.stat().st_mtime > oldest_seconds:
                    path.rmdir()


@asynccontextmanager
async def sweeping(app: Any) -> AsyncIterator[None]:
    """Sweeps as long as the server runs, from its start on."""
    folder = Path(os.environ["GRADIO_TEMP_DIR"])
    if folder.resolve() == Path(tempfile.gettempdir()).resolve():
        logger.warning("GRADIO_TEMP_DIR is shared with other programs: forgotten uploads in it are not swept away")
        yield
        return

    async def work() -> None:
        while True:
            await asyncio.to_thread(sweep, folder)
            await asyncio.sleep(EVERY_SECONDS)

    task = asyncio.create_task(work())
    try:
        yield
    finally:
        task.cancel()
