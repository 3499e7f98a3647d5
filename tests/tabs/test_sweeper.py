"""Forgotten uploads are swept away, and nothing else is."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from pathlib import Path

import pytest
from anyio.from_thread import start_blocking_portal

from tabs import sweeper

HASH = "0" * 64


def put(folder: Path, name: str, age_seconds: float) -> Path:
    """Makes a file of an age, and its folder of the same age."""
    path = folder / name
    path.parent.mkdir(exist_ok=True, parents=True)
    path.touch()
    then = time.time() - age_seconds
    os.utime(path, (then, then))
    if path.parent != folder:
        os.utime(path.parent, (then, then))
    return path


@pytest.mark.parametrize(
    ("name", "age_seconds", "stays"),
    [
        pytest.param(f"{HASH}/mine.png", 100, False, id="upload"),
        pytest.param("tmpab12_x", 100, False, id="half-an-upload"),
        pytest.param(f"{HASH}/mine.png", 10, True, id="fresh-upload"),
        pytest.param("tmpab12_x", 10, True, id="upload-under-way"),
        pytest.param("vibe_edit_history/notes.py", 100, True, id="other-folder"),
        pytest.param("precious.txt", 100, True, id="other-file"),
        pytest.param(f"{HASH}/deeper/mine.png", 100, True, id="deeper"),
        pytest.param("tmp.precious.txt", 100, True, id="not-of-that-form"),
    ],
)
def test_only_old_uploads_go(tmp_path, name, age_seconds, stays):
    path = put(tmp_path, name, age_seconds)
    sweeper.sweep(tmp_path)
    assert path.exists() == stays


def test_the_folder_of_an_upload_goes_after_it(tmp_path):
    path = put(tmp_path, f"{HASH}/mine.png", 100)
    sweeper.sweep(tmp_path)
    sweeper.sweep(tmp_path, oldest_seconds=-1)
    assert not path.parent.exists()


def test_a_link_goes_and_what_it_leads_to_stays(tmp_path):
    precious = put(tmp_path, "precious.txt", 100)
    link = tmp_path / HASH / "link.png"
    link.parent.mkdir()
    link.symlink_to(precious)
    sweeper.sweep(tmp_path, oldest_seconds=-1)
    assert not link.is_symlink()
    assert precious.exists()


def test_a_folder_that_is_not_there_is_no_error(tmp_path):
    sweeper.sweep(tmp_path / "nothing")


@pytest.mark.parametrize("shared", [pytest.param(False, id="own"), pytest.param(True, id="shared")])
def test_it_sweeps_from_the_start_but_not_where_others_keep_files(tmp_path, monkeypatch, shared):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    if shared:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    path = put(tmp_path, "tmpab12_x", 100)

    async def serve():
        async with sweeper.sweeping(None):
            for _ in range(100):
                await asyncio.sleep(0.01)

    with start_blocking_portal() as portal:  # Playwright's loop may be running in this thread
        portal.call(serve)
    assert path.exists() == shared


def test_every_visitor_s_upload_is_gone_within_two_minutes():
    assert sweeper.EVERY_SECONDS + sweeper.OLDEST_SECONDS <= 100
