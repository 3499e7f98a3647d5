"""Video tab without a browser: what is answered, in turn, paused, canceled, and for pages that are gone."""

import io
import re
import threading
import time
from types import SimpleNamespace

import pytest

from fer_core.compute import gate
from fer_core.recognizer import DEFAULT_MODEL
from fer_core.video import VideoCanceled, VideoError
from tabs import video as tab
from tabs import video_job, video_views
from tabs.example_film import FRAMES_PER_SECOND, SECONDS, example_film
from tabs.video_job import Settings, Track, VideoJob
from tabs.visitors import Visitor, visitors
from tests.films import patches, times_of, write_film

PAGE = SimpleNamespace(session_hash="video tests")
SETTINGS = Settings(resolution=64, smoothing_s=0.3, unsure_below=0.4, model=DEFAULT_MODEL)
DONE_SECONDS = 60


@pytest.fixture
def visitor(monkeypatch):
    """The page's state."""
    fresh = Visitor()
    monkeypatch.setattr(visitors, "of", lambda _: fresh)
    return fresh


@pytest.fixture(scope="module")
def gray_film():
    """Four seconds without a face."""
    return write_film(io.BytesIO(), patches(100), range(0, 4000, 40), container="mp4").getvalue()


def finished(job):
    job.start()
    assert job.ended.wait(DONE_SECONDS)
    return job


def wait_for(job, condition):
    deadline = time.monotonic() + DONE_SECONDS
    while not condition(job):
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_the_example_is_a_film_of_a_face():
    times = times_of(io.BytesIO(example_film()))
    assert len(times) == SECONDS * FRAMES_PER_SECOND
    job = finished(VideoJob(example_film(), SETTINGS, "a"))
    assert list(job.tracks) == [1]
    assert job.tracks[1].times_s == pytest.approx(times, abs=1e-4)
    result = job.take_result()
    assert len(times_of(io.BytesIO(result.mp4))) == result.summary.frames == len(times)
    assert result.csv.count("\n") == len(times) + 1


def test_the_result_is_handed_out_once(gray_film):
    job = finished(VideoJob(gray_film, SETTINGS, "a"))
    assert job.take_result().summary.frames_with_face == 0
    assert job.take_result() is None, "a video stays in memory"


def test_a_video_waits_for_a_measurement_and_goes_on(gray_film):
    job = VideoJob(gray_film, SETTINGS, "a")
    with gate.measurement():
        job.start()
        wait_for(job, lambda job: job.waiting)
        assert "being measured; the video goes on after it" in video_views.progress_html(job.progress, job.waiting)
        assert job.progress is None
    assert job.ended.wait(DONE_SECONDS)
    assert job.take_result().summary.frames == 100
    assert job.waiting is None


def test_others_get_their_turns_in_between(gray_film):
    job = VideoJob(gray_film, SETTINGS, "a")
    turns = 0
    job.start()
    while not job.ended.is_set():
        with gate.turn("b"):
            turns += 1
    assert turns >= 50, "of a video with 100 frames"


def in_measurement(job):
    with gate.measurement():
        job.start()
        wait_for(job, lambda job: job.waiting)
        job.cancel.set()
        assert job.ended.wait(DONE_SECONDS)


def in_line(job):
    taken = [video_job._places.acquire() for _ in range(video_job.MOST_AT_ONCE)]
    try:
        job.start()
        wait_for(job, lambda job: job.waiting)
        assert "other videos are being analyzed" in job.waiting
        job.cancel.set()
        assert job.ended.wait(DONE_SECONDS)
    finally:
        for _ in taken:
            video_job._places.release()


def at_work(job):
    job.start()
    wait_for(job, lambda job: job.progress)
    job.cancel.set()
    assert job.ended.wait(DONE_SECONDS)
    assert job.progress.summary is None


@pytest.mark.parametrize("while_it_is", [at_work, in_measurement, in_line])
def test_a_canceled_video_keeps_nothing(while_it_is):
    job = VideoJob(example_film(), SETTINGS, "a")
    while_it_is(job)
    with pytest.raises(VideoCanceled):
        job.take_result()
    assert job._source is None
    wait_for(job, lambda _: not [thread for thread in threading.enumerate() if thread.name == "video"])


def test_the_page_that_closes_takes_its_video_along(gray_film):
    page = SimpleNamespace(session_hash="closing page")
    early, late = (VideoJob(gray_film, SETTINGS, "a") for _ in range(2))
    visitor = visitors.of(page)
    visitor.watch(early)
    assert not early.cancel.is_set()
    visitors.forget(page)
    assert early.cancel.is_set()
    visitor.watch(late)  # its page was closed while it was being read
    assert late.cancel.is_set()
    visitors.of(page).watch(again := VideoJob(gray_film, SETTINGS, "a"))
    assert again.cancel.is_set()


def test_an_upload_is_described_at_once(gray_film, tmp_path):
    path = tmp_path / "gray.mp4"
    path.write_bytes(gray_film)
    assert "64 x 48 px, 4.0 s. Press Run." in tab.on_upload(str(path), PAGE)
    with gate.measurement():
        assert "when this CPU has been measured" in tab.on_upload(str(path), PAGE)
    path.write_bytes(gray_film[:-3000])
    assert 'role="alert"' in tab.on_upload(str(path), PAGE)
    path.unlink()
    assert "deleted meanwhile" in tab.on_upload(str(path), PAGE)
    assert tab.EMPTY in tab.on_upload(None, PAGE)


def test_a_run_shows_how_far_it_is_and_what_came_out(visitor, monkeypatch, tmp_path):
    path = tmp_path / "example.mp4"
    path.write_bytes(example_film())
    monkeypatch.setattr(video_job, "_POLL_SECONDS", 0.02)
    first, *steps, last = tab.on_run(str(path), 64, 0.3, 0.4, DEFAULT_MODEL, PAGE)
    assert "Starting" in first.status
    assert first.downloads == ""
    assert any(re.search(r"[1-9]\d* of about 150 frames, \d+ s left", step.status) for step in steps)
    said = r"150 frames, 6\.0 s, analyzed by scalable-env2b0 at 64 px in \d+ ms a frame; a face in 150 of them\."
    assert re.search(said, last.status)
    assert "data-mp4=" in last.player
    assert last.person["choices"] == [("face 1: 0.0 to 6.0 s, 100% happiness", 1)]
    names = [trace.name for trace in last.timeline["value"].data]
    assert len(names) == 7
    assert [len(trace.x) for trace in tab.on_person(1, PAGE).data] == [150] * 7
    assert "emotions.csv" in last.downloads


@pytest.mark.parametrize(
    ("path", "text"),
    [
        pytest.param(None, tab.EMPTY, id="nothing-uploaded"),
        pytest.param("/nowhere/film.mp4", tab.DELETED, id="deleted"),
        pytest.param(__file__, "expected a video file", id="no-video"),
    ],
)
def test_what_cannot_run_says_why(visitor, path, text):
    *_, last = tab.on_run(path, 64, 0.3, 0.4, DEFAULT_MODEL, PAGE)
    assert text in last.status
    assert 'role="alert"' in last.status


def test_one_video_at_a_time(visitor, gray_film):
    visitor.watch(VideoJob(gray_film, SETTINGS, "a"))
    (shown,) = tab.on_example(64, 0.3, 0.4, DEFAULT_MODEL, PAGE)
    assert tab.BUSY in shown.status


def test_a_failure_of_ours_is_told_and_logged(visitor, monkeypatch, caplog):
    def broken(model):
        raise RuntimeError("no model today")

    monkeypatch.setattr(video_job.engine, "recognizer", broken)
    *_, last = tab.on_example(64, 0.3, 0.4, DEFAULT_MODEL, PAGE)
    assert tab.FAILED in last.status
    assert "no model today" in caplog.text


def test_cancel_says_when_there_is_nothing_to_cancel(visitor, gray_film):
    assert "no video of yours" in tab.on_cancel(PAGE)
    visitor.watch(job := VideoJob(gray_film, SETTINGS, "a"))
    tab.on_cancel(PAGE)
    assert job.cancel.is_set()


def test_the_live_tab_hands_its_resolution_over():
    update = tab.on_live_resolution(117)
    assert update["value"] == 117
    assert 117 in update["choices"]
    assert tab.on_live_resolution(tab.resolution.FOLLOW)["value"] == tab.resolution.FOLLOW


def test_those_seen_longest_come_first():
    row = dict.fromkeys(video_views.panel.EMOTIONS, 0.1) | {"fear": 0.4}
    tracks = {number: Track([0.04 * i for i in range(number)], [row] * number) for number in range(1, 31)}
    people = video_views.people(tracks)
    assert [number for _, number in people] == list(range(30, 30 - video_views.MOST_PEOPLE, -1))
    assert people[0][0] == "face 30: 0.0 to 1.2 s, 100% fear"


def test_an_upload_leaves_no_further_file(tmp_path):
    path = tmp_path / "film.mp4"
    path.touch()
    upload = tab.VideoInput()
    assert upload.preprocess(SimpleNamespace(path=str(path))) == str(path)
    assert upload.preprocess(None) is None
    assert list(tmp_path.iterdir()) == [path]


def test_videos_over_the_limits_are_refused(visitor, tmp_path):
    path = tmp_path / "long.mp4"
    write_film(path, patches(62), range(0, 62_000, 1000))  # to 61 s
    with pytest.raises(VideoError, match="at most 60 s"):
        finished(VideoJob(path.read_bytes(), SETTINGS, "a")).take_result()
    *_, last = tab.on_run(str(path), 64, 0.3, 0.4, DEFAULT_MODEL, PAGE)
    assert "at most 60 s, but lasts 61.0 s" in last.status
