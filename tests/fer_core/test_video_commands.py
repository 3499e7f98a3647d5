"""Command line: ``python -m fer_core video``."""

import signal
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.films import swaying, times_of, write_film


def video(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "fer_core", "video", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
    )


def test_command_line(face_film, tmp_path):
    output, table = tmp_path / "out.mp4", tmp_path / "out.csv"
    done = video(face_film, "--output", output, "--table", table, "--resolution", 64)
    assert done.returncode == 0, done.stderr
    assert "15 frames, 0.5 s, a face in 15 of them, 1 track" in done.stderr
    assert done.stdout == ""
    assert len(times_of(output)) == 15
    assert len(table.read_text().splitlines()) == 16
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["{text}", "--output", "{out}"], "expected a video file", id="not-a-video"),
        pytest.param(["{film}"], "but got neither", id="nothing-asked-for"),
        pytest.param(["{film}", "--table", "table.xls"], "must end in .csv or .json", id="table"),
        pytest.param(["{film}", "--output", "{out}", "--model", "resnet"], "model must be one of", id="model"),
        pytest.param(["{film}", "--output", "{out}", "--resolution", "-3"], "at least 1 px", id="resolution"),
    ],
)
def test_unusable_arguments_are_one_line_and_status_2(face_film, tmp_path, arguments, message):
    text = tmp_path / "text.mp4"
    text.write_text("not a video")
    places = {"text": text, "film": face_film, "out": tmp_path / "out.mp4"}
    done = video(*(argument.format(**places) for argument in arguments))
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert list(tmp_path.iterdir()) == [text]


def test_an_interrupted_video_leaves_nothing(tmp_path, astronaut):
    film = write_film(tmp_path / "film.mp4", swaying(astronaut, 1500), range(0, 60_000, 40))
    running = subprocess.Popen(
        [sys.executable, "-m", "fer_core", "video", film, "--output", tmp_path / "out.mp4"],
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        # A shell's background job, as this suite may be, ignores the signal, and its children with it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    line = running.stderr.readline()
    assert " frames, " in line
    assert " s left" in line
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=60)
    assert said.endswith("interrupted: nothing was written\n")
    assert running.returncode == 130
    assert list(tmp_path.iterdir()) == [film]
