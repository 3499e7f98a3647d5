"""Video tab: a video file in; the annotated video, a timeline of each face, and the table out."""

from __future__ import annotations

import io
import logging
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr
from gradio.data_classes import FileData

from fer_core.compute import MeasurementRunning, gate
from fer_core.recognizer import DEFAULT_RESOLUTION
from fer_core.results import REAL_TIME_MS
from fer_core.video import VideoCanceled, VideoError
from fer_core.video_canvas import LARGEST_SIDE
from fer_core.video_figures import timeline
from fer_core.video_reader import VideoReader

from . import engine, panel, resolution
from . import video_views as views
from .components import model_choice
from .example_film import example_film
from .video_job import LIMITS, MOST_AT_ONCE, Result, Settings, VideoJob
from .visitors import name_of, visitors

INTRODUCTION = f"""### What does a whole video show?
Every frame is analyzed, faces are followed, and their emotions smoothed. **At most {LIMITS.seconds} s,
{LIMITS.frames:,} frames and {LIMITS.megabytes} MB**, in any common format. Pictures of up to {LIMITS.side} px are
reduced to {LARGEST_SIDE} px; sound is left out. The video is analyzed in memory, the upload is deleted within two
minutes, and the result stays in your browser alone until you close the page. Only videos of yourself or of people who
agreed, please."""

EMPTY = "Upload a video, then press Run; or try the example film."
EXAMPLE_ONLY = "This server takes no uploads: try the example film."
NO_PLAYER = "The annotated video is shown here."
DELETED = "The upload was deleted meanwhile, as promised: upload the video again, then press Run within a minute."
FAILED = "The analysis failed on the server: try again, or try another video."
BUSY = "A video of yours is being analyzed: wait for it, or cancel it."
# What the browser's file dialog offers; what a file is, its contents say.
FILE_TYPES = ["video", ".mkv", ".avi", ".flv", ".ts", ".m2ts", ".mts", ".wmv", ".mpg", ".ogv", ".3gp", ".gif"]

logger = logging.getLogger(__name__)


class VideoInput(gr.File):
    """Hands the path of an upload to the handler. Gradio's own ``preprocess`` leaves an empty file for each upload."""

    is_template = True

    def preprocess(self, payload: FileData | None) -> str | None:  # type: ignore[override]
        """Returns where the upload lies, or None if there is none."""
        return None if payload is None else payload.path


class Shown(NamedTuple):
    """What the tab shows, in the order of its components; by default all stay as they are."""

    status: object = gr.skip()
    player: object = gr.skip()
    details: object = gr.skip()
    person: object = gr.skip()
    timeline: object = gr.skip()
    downloads: object = gr.skip()


def _read(path: str | None) -> bytes:
    if path is None:
        raise VideoError(EMPTY)
    try:
        return Path(path).read_bytes()
    except OSError:
        raise VideoError(DELETED) from None


def on_upload(path: str | None, request: gr.Request) -> str:
    """Says at once whether an upload can be analyzed."""
    if path is None:
        return panel.message(EMPTY)
    try:
        with gate.turn(name_of(request)), VideoReader(io.BytesIO(_read(path)), LIMITS) as reader:
            size = f"{reader.width} x {reader.height} px, {reader.seconds:.1f} s"
    except VideoError as error:
        return panel.message(str(error), alert=True)
    except MeasurementRunning:
        return panel.message("Uploaded. Press Run: it begins when this CPU has been measured.")
    return panel.message(f"Uploaded: {size}. Press Run.")


def _analyzed(
    source: bytes, wanted: int | str, smoothing_s: float, unsure_below: float, model: str, request: gr.Request
):
    """Analyzes a video, showing how far it is."""
    visitor = visitors.of(request)
    if visitor.video is not None and not visitor.video.ended.is_set():
        yield Shown(panel.message(BUSY, alert=True))
        return
    try:
        pixels, note = resolution.resolved(wanted, visitor, model, REAL_TIME_MS)
    except engine.UNUSABLE as error:
        yield Shown(panel.message(str(error), alert=True))
        return
    job = VideoJob(source, Settings(pixels, smoothing_s, unsure_below, model), name_of(request))
    visitor.watch(job)
    job.start()
    # What an earlier video left gives way at once.
    yield Shown(
        views.progress_html(None, None), panel.message(NO_PLAYER), details=gr.update(visible=False), downloads=""
    )
    for _ in job.follow():
        yield Shown(views.progress_html(job.progress, job.waiting))
    try:
        result = job.take_result()
    except VideoCanceled as error:
        yield Shown(panel.message(f"{str(error).capitalize()}. {EMPTY}"))
        return
    except (VideoError, *engine.UNUSABLE) as error:
        yield Shown(panel.message(str(error), alert=True))
        return
    except Exception:
        # Or the page would show for good how far it was.
        logger.exception("a video could not be analyzed")
        yield Shown(panel.message(FAILED, alert=True))
        return
    assert result is not None, "nobody else takes it"
    settings = f"analyzed by {model} at {pixels} px in {job.frame_ms:.0f} ms a frame" + (f" ({note})" if note else "")
    status = views.summary_html(result.summary, settings)
    yield _results(status, job, result)


def _results(status: str, job: VideoJob, result: Result) -> Shown:
    people = views.people(job.tracks)
    shown = Shown(status, views.player_html(result.mp4), gr.update(visible=True))
    downloads = views.downloads_html(result)
    if not people:
        return shown._replace(person=gr.update(visible=False), timeline=gr.update(visible=False), downloads=downloads)
    number = people[0][1]
    return shown._replace(
        person=gr.update(choices=people, value=number, visible=True),
        timeline=gr.update(value=_timeline(job, number), visible=True),
        downloads=downloads,
    )


def _timeline(job: VideoJob, number: int):
    assert job.progress is not None
    assert job.progress.summary is not None, "shown after the end"
    track, seconds = job.tracks[number], job.progress.summary.seconds
    return timeline(track.times_s, track.probabilities, seconds, job.settings.unsure_below)


def on_run(path: str | None, wanted, smoothing_s, unsure_below, model, request: gr.Request):
    """Analyzes the upload."""
    try:
        source = _read(path)
    except VideoError as error:
        yield Shown(panel.message(str(error), alert=True))
        return
    yield from _analyzed(source, wanted, smoothing_s, unsure_below, model, request)


def on_example(wanted, smoothing_s, unsure_below, model, request: gr.Request):
    """Analyzes the example film."""
    yield from _analyzed(example_film(), wanted, smoothing_s, unsure_below, model, request)


def on_cancel(request: gr.Request):
    """Cancels the visitor's own video; its own last answer says so."""
    job = visitors.of(request).video
    if job is None or job.ended.is_set():
        return panel.message(f"There is no video of yours to cancel. {EMPTY}")
    job.cancel.set()
    return gr.skip()


def on_person(number: int | None, request: gr.Request):
    """Shows the timeline of another face, without computing again."""
    job = visitors.of(request).video
    if job is None or number not in job.tracks or not job.ended.is_set():
        return gr.skip()
    return _timeline(job, number)


def on_live_resolution(size: int | str):
    """Takes over what was chosen in the live tab, a size from the calibration among it."""
    further = [size] if isinstance(size, int) else []
    return gr.update(choices=resolution.choices(*further), value=size)


def build(live_model: gr.Radio, live_resolution: gr.Radio, uploads: bool = True) -> None:
    """Adds the tab's components and wiring to the Blocks under construction.

    Args:
        live_model: The live tab's choice of the model, which this tab's follows.
        live_resolution: The live tab's choice of resolution, which this tab's follows.
        uploads: Whether videos are taken, or the example alone.
    """
    gr.Markdown(INTRODUCTION)
    with gr.Row():
        with gr.Column(min_width=320):
            if uploads:
                upload = VideoInput(label="Video", file_types=FILE_TYPES, height=140, elem_id="video-upload")
            example = gr.Button("Try the example film (astronaut Eileen Collins, NASA)", elem_id="video-example")
            with gr.Row():
                run = gr.Button("Run", variant="primary", elem_id="video-run", visible=uploads)
                cancel = gr.Button("Cancel", elem_id="video-cancel")
            empty = panel.message(EMPTY if uploads else EXAMPLE_ONLY)
            status = gr.HTML(empty, elem_id="video-status", min_height=60)
            with gr.Accordion("Settings: model, resolution, smoothing, unsure", open=False, elem_id="video-settings"):
                model = model_choice("Follows the live tab's choice.", "video-model")
                wanted = gr.Radio(
                    resolution.choices(),
                    value=DEFAULT_RESOLUTION,
                    label="Resolution: what the model sees, in pixels",
                    info="Follows the live tab's choice.",
                    elem_id="video-resolution",
                )
                smoothing = gr.Slider(
                    0, 2, value=0.3, step=0.1, label="Smoothing, s", info="How long a face's past counts."
                )
                unsure_below = gr.Slider(
                    0,
                    0.9,
                    value=0.4,
                    step=0.05,
                    label="Unsure below this confidence",
                    info="A face whose highest bar is lower is labeled unsure.",
                )
        with gr.Column(min_width=320):
            player = gr.HTML(panel.message(NO_PLAYER), js_on_load=views.PLAYER_SCRIPT, elem_id="video-player")
            downloads = gr.HTML(elem_id="video-downloads")
    with gr.Column(visible=False) as details:
        person = gr.Dropdown([], label="Emotions over time of", elem_id="video-person")
        figure = gr.Plot(show_label=False, elem_id="video-timeline")

    shown = [status, player, details, person, figure, downloads]
    asked = [wanted, smoothing, unsure_below, model]
    private: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    private["concurrency_limit"] = 4 * MOST_AT_ONCE
    if uploads:
        upload.change(on_upload, upload, status, **private)
        run.click(on_run, [upload, *asked], shown, **private)
    example.click(on_example, asked, shown, **private)
    cancel.click(on_cancel, None, status, queue=False, api_visibility="private")
    person.input(on_person, person, figure, **private)
    live_model.change(lambda name: name, live_model, model, queue=False, api_visibility="private")
    live_resolution.change(on_live_resolution, live_resolution, wanted, queue=False, api_visibility="private")
