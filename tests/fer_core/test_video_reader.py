"""Reading videos: bad files, damaged files, limits, clocks."""

import io
import itertools
from fractions import Fraction
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fer_core.video import VideoError, VideoLimits, annotate_video
from fer_core.video_reader import VideoReader, _Clock
from tests.films import Coding, annotate, patches, times_of, write_film, write_sound

LIMITS = VideoLimits(megabytes=1, seconds=2, frames=40, side=256)


@pytest.fixture
def bad_files(tmp_path, astronaut):
    """Files that are no videos, by name."""
    film = write_film(tmp_path / "film.mp4", patches(60), range(0, 1980, 33))
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("not a video\n" * 50)
    (tmp_path / "text.txt").write_text("not a video\n" * 50)
    (tmp_path / "truncated.mp4").write_bytes(film.read_bytes()[:-600])
    (tmp_path / "playlist.m3u8").write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1,\n{film}\n#EXT-X-ENDLIST\n")
    (tmp_path / "list.mp4").write_text(f"ffconcat version 1.0\nfile {film.name}\n")
    Image.fromarray(astronaut).save(tmp_path / "picture.png")
    Image.fromarray(astronaut).save(tmp_path / "picture.mp4", format="JPEG")
    write_sound(tmp_path / "sound.mp4")
    write_sound(tmp_path / "song.mp3", cover=True)
    (tmp_path / "folder.mp4").mkdir()
    return tmp_path


BAD = [
    pytest.param("empty.mp4", "the file is empty", id="zero-length"),
    pytest.param("text.mp4", "this is none", id="text"),
    pytest.param("text.txt", "a text", id="text-art"),
    pytest.param("truncated.mp4", "its beginning is damaged|is none", id="index-cut-off"),
    pytest.param("playlist.m3u8", "this is none", id="playlist"),
    pytest.param("list.mp4", "this is none", id="list-of-files"),
    pytest.param("picture.png", "this is a picture", id="picture"),
    pytest.param("picture.mp4", "this is a picture", id="renamed-picture"),
    pytest.param("sound.mp4", "no pictures, only audio", id="sound"),
    pytest.param("song.mp3", "no pictures, only audio", id="song-with-cover"),
    pytest.param("missing.mp4", "No such file", id="missing"),
    pytest.param("folder.mp4", "Is a directory", id="folder"),
]


@pytest.mark.parametrize(("name", "message"), BAD)
def test_bad_files_say_what_is_wrong_and_leave_nothing(recognizer, bad_files, tmp_path, name, message):
    before = set(tmp_path.iterdir())
    with pytest.raises(VideoError, match=message) as raised:
        list(annotate_video(bad_files / name, recognizer.stream(), tmp_path / "out.mp4", [tmp_path / "out.csv"]))
    assert str(raised.value).startswith("expected a video file")
    assert set(tmp_path.iterdir()) == before


def test_what_decodes_of_a_cut_file_is_annotated(recognizer, tmp_path):
    whole = write_film(
        tmp_path / "whole.mp4", patches(90, 320, 240), range(0, 2970, 33), Coding(options=(("movflags", "+faststart"),))
    )
    data = whole.read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(data[: len(data) * 2 // 3])
    output, record, summary = annotate(recognizer, cut, tmp_path)
    assert 20 < summary.frames < 90
    np.testing.assert_allclose(times_of(output), times_of(whole)[: summary.frames], atol=1e-4)
    assert any("damaged or cut off" in text for text in summary.warnings)
    assert any("of the 3.0 s that the file announces" in text for text in summary.warnings)
    assert record["warnings"] == list(summary.warnings)


@given(st.lists(st.tuples(st.integers(0, 30_000), st.binary(min_size=1, max_size=300)), min_size=1, max_size=8))
@settings(max_examples=25, deadline=None)
def test_damage_anywhere_is_read_over_or_reported(scratches):
    data = bytearray(_scratched_film())
    for place, garbage in scratches:
        place %= len(data)
        data[place : place + len(garbage)] = garbage
    try:
        with VideoReader(io.BytesIO(data), LIMITS) as reader:
            ticks = [frame.ticks for frame in reader]
    except VideoError:
        return
    assert ticks[0] == 0
    assert all(later > earlier for earlier, later in itertools.pairwise(ticks))


@cache
def _scratched_film():
    return write_film(io.BytesIO(), patches(30, 128, 96), range(0, 990, 33), container="mp4").getvalue()


@pytest.mark.parametrize(
    ("size", "count", "options", "message"),
    [
        pytest.param((64, 48), 90, (), "at most 2 s, but lasts 3.0 s", id="too-long"),
        pytest.param((64, 48), 90, (("live", "1"),), "at most 2 s, but lasts 3.0 s", id="too-long-unannounced"),
        pytest.param((64, 48), 50, (), "at most 40 frames, but has 5", id="too-many-frames"),
        pytest.param((320, 48), 3, (), "at most 256 px wide and high, but are 320 x 48", id="too-wide"),
    ],
)
def test_limits(recognizer, tmp_path, size, count, options, message):
    source = write_film(tmp_path / "a.mkv", patches(count, *size), range(0, 33 * count, 33), Coding(options=options))
    with pytest.raises(VideoError, match=message):
        list(annotate_video(source, recognizer.stream(), tmp_path / "out.mp4", limits=LIMITS))
    assert [path.name for path in tmp_path.iterdir()] == ["a.mkv"]


def test_a_file_over_the_limit_is_not_opened(tmp_path):
    path = tmp_path / "large.mp4"
    path.write_bytes(bytes(1_200_000))
    with pytest.raises(VideoError, match=r"at most 1 MB, but has 1\.2 MB"):
        VideoReader(path, LIMITS)


@given(st.lists(st.one_of(st.none(), st.integers(-(2**40), 2**40)), min_size=1, max_size=50), st.integers(1, 10**9))
def test_time_always_grows(pts, ticks_per_second):
    clock = _Clock(
        SimpleNamespace(time_base=Fraction(1, ticks_per_second), guessed_rate=Fraction(30), average_rate=None)
    )
    placed = [clock.place(SimpleNamespace(pts=time, dts=None, duration=None)) for time in pts]
    ticks = [place for place, _ in placed]
    assert ticks[0] == 0
    assert all(later > earlier for earlier, later in itertools.pairwise(ticks))
    assert all(duration >= 1 for _, duration in placed)


def test_a_clock_that_is_set_anew_goes_on():
    clock = _Clock(SimpleNamespace(time_base=Fraction(1, 1000), guessed_rate=Fraction(25), average_rate=None))
    came = [5000, 5040, 5080, 5080, 5120, 10, 50, 90]
    placed = [clock.place(SimpleNamespace(pts=time, dts=None, duration=40))[0] for time in came]
    assert placed == [0, 40, 80, 81, 120, 160, 200, 240]
