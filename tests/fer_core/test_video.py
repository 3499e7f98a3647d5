"""Videos: what comes out, of every container and on the way; bad files are in ``test_video_reader``."""

import csv
import io
import json
import threading
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from fer_core.emotions import EMOTIONS
from fer_core.video import VideoCanceled, VideoError, annotate_video
from fer_core.video_table import COLUMNS, CsvTable
from tests.conftest import shared
from tests.films import Coding, annotate, patches, pictures_of, times_of, write_film

EVEN = tuple(range(0, 330, 33))


@pytest.mark.parametrize(
    ("name", "times", "coding"),
    [
        pytest.param("a.mp4", EVEN, Coding(), id="mp4"),
        pytest.param("a.mp4", (0, 40, 80, 300, 310, 1000, 1700), Coding(), id="varying-rate"),
        pytest.param("a.mp4", (0,), Coding(), id="one-frame"),
        pytest.param("a.mp4", range(0, 10010, 1001), Coding(time_base=Fraction(1, 24000)), id="23.976"),
        pytest.param("a.mp4", range(500, 830, 33), Coding(), id="begins-late"),
        pytest.param("a.mkv", EVEN, Coding(), id="matroska"),
        pytest.param("a.mov", EVEN, Coding("mjpeg", "yuvj422p", codec_options=()), id="quicktime"),
        pytest.param("a.webm", EVEN, Coding("libvpx", codec_options=()), id="webm"),
        pytest.param("a.webm", EVEN, Coding("libvpx", options=(("live", "1"),), codec_options=()), id="no-length"),
        pytest.param("a.avi", range(10), Coding("mpeg4", time_base=Fraction(1, 30), codec_options=()), id="avi"),
        pytest.param("a.ts", EVEN, Coding(), id="transport-stream"),
        pytest.param("a.flv", EVEN, Coding(), id="flash"),
        pytest.param("a.gif", range(10), Coding("gif", "rgb8", Fraction(1, 100), codec_options=()), id="gif"),
        pytest.param("a.mp4", EVEN, Coding("libx264rgb", "rgb24"), id="4:4:4"),
    ],
)
def test_frames_keep_their_times(recognizer, tmp_path, name, times, coding):
    source = write_film(tmp_path / name, patches(len(times)), times, coding)
    output, record, summary = annotate(recognizer, source, tmp_path)
    expected = np.array(times_of(source))
    came = np.array(times_of(output))
    assert len(came) == summary.frames == record["frames"] == len(times)
    np.testing.assert_allclose(came, expected - expected[0], atol=1e-4)
    assert came[0] == 0
    assert summary.warnings == ()
    assert (summary.tracks, record["rows"]) == (0, [])
    assert summary.seconds > came[-1]


def test_a_stream_of_frames_without_a_clock_gets_one(recognizer, tmp_path):
    source = write_film(tmp_path / "a.h264", patches(10), EVEN)
    assert times_of(source) == [None] * 10
    output, _, summary = annotate(recognizer, source, tmp_path)
    steps = np.diff(times_of(output))
    np.testing.assert_allclose(steps, steps[0], atol=1e-4)
    assert summary.frames == 10
    assert steps[0] > 0


def test_the_output_plays_in_browsers(recognizer, face_film, tmp_path):
    output, _, summary = annotate(recognizer, face_film, tmp_path)
    with av.open(output) as file:
        (stream,) = file.streams
        assert (stream.codec.name, stream.pix_fmt, stream.width, stream.height) == ("h264", "yuv420p", 320, 240)
        length = float(stream.duration * stream.time_base)
    assert length == pytest.approx(summary.seconds, abs=0.001)
    data = output.read_bytes()
    assert 0 < data.find(b"moov") < data.find(b"mdat"), "the index comes first, or a browser loads the whole file"


def test_boxes_are_drawn_and_colors_stay(recognizer, face_film, tmp_path):
    output, record, _ = annotate(recognizer, face_film, tmp_path)
    before, after = (pictures_of(path)[5].astype(int) for path in (face_film, output))
    (row,) = (row for row in record["rows"] if row["frame"] == 5)
    x0, y0, x1, y1 = row["box"]
    difference = np.abs(after - before).max(axis=2)
    assert difference[(y0 + y1) // 2, x0 - 1 : x0 + 2].max() > 40, "the left edge of the box"
    inside = difference[y0 + 8 : y1 - 8, x0 + 8 : x1 - 8]
    assert np.median(inside) < 8


def test_the_tables_hold_every_face(recognizer, face_film, tmp_path):
    paths = [tmp_path / "table.csv", tmp_path / "table.json"]
    seen = list(annotate_video(face_film, recognizer.stream(), None, paths))
    record = json.loads(paths[1].read_text())
    with paths[0].open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == len(record["rows"]) == sum(len(progress.faces) for progress in seen) == 15
    assert record["schema_version"] == 1
    assert (record["width"], record["height"], record["resolution"]) == (320, 240, 128)
    times = times_of(face_film)
    for row, entry, progress in zip(rows, record["rows"], seen, strict=False):
        (face,) = progress.faces
        assert int(row["frame"]) == entry["frame"] == progress.frames - 1
        assert float(row["time_s"]) == entry["time_s"] == pytest.approx(times[entry["frame"]], abs=1e-6)
        assert [int(row[edge]) for edge in ("x0", "y0", "x1", "y1")] == entry["box"] == list(face.box)
        assert [float(row[emotion]) for emotion in EMOTIONS] == list(entry["probabilities"].values())
        assert sum(entry["probabilities"].values()) == pytest.approx(1, abs=1e-3)
        assert row["emotion"] == entry["emotion"] == face.emotion == "happiness"
        assert row["unsure"] == str(entry["unsure"]).lower()
        assert int(row["track"]) == entry["track"] == 1


def test_progress_grows_to_the_end(recognizer, face_film):
    *steps, last = annotate_video(face_film, recognizer.stream())
    fractions = [step.fraction for step in steps]
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(1, abs=0.01)
    assert all(step.seconds_left >= 0 for step in steps)
    assert {step.expected_frames for step in steps} == {15}
    assert [step.frames for step in steps] == list(range(1, 16))
    assert all(step.summary is None for step in steps)
    assert (last.summary.frames, last.summary.frames_with_face, last.summary.tracks) == (15, 15, 1)
    assert steps[0].timings_ms["decode"] > 0


def cancel_by_event(steps, cancel):
    cancel.set()
    with pytest.raises(VideoCanceled):
        next(steps)


def cancel_by_closing(steps, _):
    steps.close()


@pytest.mark.parametrize("stop", [cancel_by_event, cancel_by_closing])
def test_a_canceled_video_leaves_nothing(recognizer, face_film, tmp_path, stop):
    output = tmp_path / "out.mp4"
    output.write_bytes(b"an earlier one")
    cancel = threading.Event()
    steps = annotate_video(face_film, recognizer.stream(), output, [tmp_path / "out.json"], cancel=cancel)
    for _ in range(5):
        next(steps)
    assert len(list(tmp_path.iterdir())) == 3, "written under other names"
    stop(steps, cancel)
    assert list(tmp_path.iterdir()) == [output]
    assert output.read_bytes() == b"an earlier one"


class _FullDisk(io.BytesIO):
    def write(self, data):
        raise OSError(28, "No space left on device")


def test_a_full_disk_is_told(recognizer, face_film):
    with pytest.raises(VideoError, match="could not be written"):
        list(annotate_video(face_film, recognizer.stream(), _FullDisk()))


@pytest.mark.parametrize(
    ("output", "table", "message"),
    [
        pytest.param("out.avi", None, r"must end in \.mp4, but got out\.avi", id="container"),
        pytest.param(None, "out.txt", r"must end in \.csv or \.json, but got out\.txt", id="table"),
        pytest.param("nowhere/out.mp4", None, "No such file", id="no-folder"),
        pytest.param("film.mp4", None, "named twice", id="its-own-source"),
    ],
)
def test_places_are_checked_before_the_work(recognizer, tmp_path, output, table, message):
    source = write_film(tmp_path / "film.mp4", patches(3), (0, 33, 66))
    before = source.read_bytes()
    places = [None if name is None else tmp_path / name for name in (output, table)]
    with pytest.raises(ValueError, match=message):
        next(annotate_video(source, recognizer.stream(), places[0], places[1:] if table else ()))
    assert source.read_bytes() == before
    assert list(tmp_path.iterdir()) == [source]


def test_files_in_memory(recognizer, face_film):
    output, table = io.BytesIO(), io.StringIO()
    *_, last = annotate_video(io.BytesIO(face_film.read_bytes()), recognizer.stream(), output, [CsvTable(table)])
    assert len(times_of(io.BytesIO(output.getvalue()))) == last.summary.frames == 15
    assert table.getvalue().count("\n") == 16


def resident_mb():
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6
    except OSError:
        pytest.skip("needs /proc")


def test_memory_does_not_grow_with_length(recognizer, tmp_path):
    count, width, height = 500, 640, 360
    pictures = (picture for _ in range(count // 10) for picture in patches(10, width, height))
    source = write_film(tmp_path / "long.mp4", pictures, range(0, 33 * count, 33))
    sizes = [
        resident_mb()
        for progress in annotate_video(source, recognizer.stream(), tmp_path / "out.mp4", [tmp_path / "out.json"])
        if progress.frames % 50 == 0
    ]
    held_mb = 300 * width * height * 3 / 1e6  # of frames 200 to 500, if they were kept
    assert sizes[-1] - sizes[3] < held_mb / 4, sizes


@pytest.mark.parametrize(
    ("name", "frames", "with_face"),
    [
        pytest.param("single_face.mp4", 72, 72, id="a-face"),
        pytest.param("no_face.mp4", 95, 0, id="no-face-ever"),
    ],
)
def test_real_films(recognizer, tmp_path, name, frames, with_face):
    source = shared(f"media/{name}")
    output, _, summary = annotate(recognizer, source, tmp_path)
    assert (summary.frames, summary.warnings) == (frames, ())
    assert summary.frames_with_face >= 0.95 * with_face
    assert summary.frames_with_face <= with_face
    np.testing.assert_allclose(times_of(output), times_of(source), atol=1e-4)
