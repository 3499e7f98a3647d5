"""Live tab: the webcam stream, its settings, and the budget of a frame; uploads are in ``picture``."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any, NamedTuple

import gradio as gr

from fer_core.activation_maps import activation_maps
from fer_core.compute import MeasurementRunning, gate
from fer_core.drawing import draw_faces, reduced
from fer_core.pictures import PictureError, encode_jpeg, read_picture
from fer_core.recognizer import DEFAULT_RESOLUTION
from fer_core.results import REAL_TIME_MS
from fer_core.stream import DEFAULT_SMOOTHING_S, DEFAULT_UNSURE_BELOW

from . import budget, camera_notice, engine, panel, picture, resolution
from .board import board
from .components import JpegOutput, PictureInput, model_choice
from .visitors import Visitor, name_of, visitors

CAMERA_SIZES = ("640 x 480", "320 x 240")
SMALLEST_CAMERA = 320  # px wide
PAUSE_SECONDS = 0.5  # between answers to a camera while this CPU is being measured
STREAM_SECONDS = 600  # a camera left running gives its place back after this

NOTICE = """**What this is.** A neural network guesses which of seven posed expressions a face shows. It learned from
photographs of people who acted emotions (KDEF) and from pictures found on the web and labeled by others (RAF-DB,
FER+): it reads faces, not feelings, and is often wrong. **Nothing is stored**: pictures are analyzed in memory and
uploads are deleted within two minutes. Inferring emotions of students or employees is **prohibited in the EU** (AI Act,
Article 5(1)(f)); show it on yourself, not on your class. The weights are for research and non-commercial use only."""

CONSENT = "I point it at myself or at people who agreed"
START = "Tick the box above, then allow the camera and press the record button below the picture."
NO_BUDGET = "Where the time of a frame goes is shown here once the camera runs."


class Answered(NamedTuple):
    """A frame as it is answered.

    Attributes:
        view: What was found.
        jpeg: The annotated frame.
        width: Width of the frame in pixels.
        timings: Milliseconds by stage of the last frames, this one last.
        pace: Analyzed frames per second.
    """

    view: panel.View
    jpeg: bytes
    width: int
    timings: list[dict[str, float]]
    pace: float


def _answer(
    data: bytes,
    visitor: Visitor,
    model: str,
    pixels: int,
    unsure_below: float,
    why: bool,
    smoothing_s: float,
    request: gr.Request,
) -> Answered:
    """Answers a frame in one turn of the visitor, so that nothing computes beside it."""
    with gate.turn(name_of(request)):
        loaded = engine.recognizer(model)
        session = visitor.session_at(loaded.at(pixels))
        session.smoothing_s, session.unsure_below = smoothing_s, unsure_below
        with session.timed("decode"):
            image = read_picture(data)
        faces = session.update(image)
        with session.timed("draw"):
            maps = []
            if why:
                features = [session.features_of(face.track_id) for face in faces]
                maps = activation_maps(faces, [of for of in features if of is not None], loaded.runtime.head)
            drawn = draw_faces(*reduced(image, faces, picture.LARGEST_SHOWN_SIDE), activations=maps)
        with session.timed("encode"):
            jpeg = encode_jpeg(drawn)
        pace = visitor.count(session.timings, len(faces))
        timings = list(visitor.timings)
    unsure = [face.unsure for face in faces]
    grid = maps[0].shape if maps else None
    view = panel.View(faces, unsure, model, pixels, unsure_below, grid=grid, smoothing_s=smoothing_s)
    return Answered(view, jpeg, image.shape[1], timings, pace)


def on_frame(
    data: bytes | None,
    chosen: str,
    wanted: int | str,
    unsure_below: float,
    why: bool,
    smoothing_s: float,
    target_ms: float,
    model: str,
    request: gr.Request,
):
    """Answers one camera frame with its annotated JPEG, the panel, and the budget bar."""
    if data is None:
        return gr.skip(), gr.skip(), gr.skip()
    visitor = visitors.of(request)
    try:
        pixels, note = resolution.resolved(wanted, visitor, model, target_ms)
        answered = _answer(data, visitor, model, pixels, unsure_below, why, smoothing_s, request)
    except MeasurementRunning:
        # The browser sends the next frame once this one is answered; at once, it would disturb the measurement.
        time.sleep(PAUSE_SECONDS)
        return gr.skip(), panel.message(board.paused(), alert=True), gr.skip()
    except PictureError as error:
        return gr.skip(), panel.message(str(error), alert=True), gr.skip()
    except engine.UNUSABLE as error:
        time.sleep(PAUSE_SECONDS)  # the next frame tries to load the model again
        return gr.skip(), panel.message(str(error), alert=True), gr.skip()
    bar = budget.render(answered.timings, target_ms, answered.pace)
    if budget.is_slow(answered.timings, target_ms):
        followed = resolution.follow(visitor, model, target_ms)
        bar += budget.advice(
            answered.timings,
            target_ms,
            faces=len(answered.view.faces),
            model=model,
            resolution=pixels,
            fitting_px=followed.pixels if followed.answered else None,
            runtime=engine.recognizer(model).runtime.name,
            smaller_camera=answered.width > SMALLEST_CAMERA,
            why=why,
        )
    return answered.jpeg, panel.render(replace(answered.view, note=note), chosen), bar


def build(cameras: bool = True) -> tuple[gr.Radio, gr.Radio]:
    """Adds the tab's components and wiring to the Blocks under construction.

    Args:
        cameras: Whether a camera and uploads are taken, or the example alone.

    Returns:
        The choice of the model and that of the resolution.
    """
    gr.Markdown(NOTICE, elem_classes="notice")
    with gr.Row():
        model = model_choice("S is larger and slower than B0. The Results tab says how good each is.", "model")
        wanted = gr.Radio(
            resolution.choices(),
            value=DEFAULT_RESOLUTION,
            label="Resolution: what the model sees, in pixels",
            info="Every face of the next picture is resized to this side. Smaller is faster and blurrier.",
            min_width=320,
            elem_id="resolution",
        )
        chosen = gr.Radio(
            panel.FACE_CHOICES,
            value=panel.FACE_CHOICES[0],
            label="Bars for which face",
            min_width=320,
            elem_id="face-choice",
        )
    with gr.Row():
        unsure_below = gr.Slider(
            0,
            0.9,
            value=DEFAULT_UNSURE_BELOW,
            step=0.05,
            label="Unsure below this confidence",
            info="A face whose highest bar is lower is labeled unsure.",
            min_width=320,
            elem_id="unsure-below",
        )
        why = gr.Checkbox(
            label="Show why",
            info="Colors the parts of each face that spoke for its emotion.",
            value=False,
            min_width=320,
            elem_id="why",
        )
    settings = chosen, wanted, unsure_below, why, model
    with gr.Tabs():
        if cameras:
            with gr.Tab("Webcam", id="webcam"):
                _build_webcam(*settings)
        with gr.Tab("Picture", id="picture"):
            picture.build(*settings, uploads=cameras)
    return model, wanted


def _build_webcam(
    chosen: gr.Radio, wanted: gr.Radio, unsure_below: gr.Slider, why: gr.Checkbox, model: gr.Radio
) -> None:
    gr.HTML(camera_notice.html(), js_on_load=camera_notice.SCRIPT, padding=False, elem_id="camera-notice")
    consent = gr.Checkbox(label=CONSENT, value=False, elem_id="consent")
    with gr.Row():
        camera = PictureInput(
            sources=["webcam"],
            streaming=True,
            label="Camera",
            visible=False,
            webcam_options=_webcam(CAMERA_SIZES[0]),
            elem_id="camera",
        )
        answer = JpegOutput(
            label="Faces and emotions", interactive=False, elem_id="camera-answer", buttons=[], min_width=300
        )
        with gr.Column(min_width=300):  # goes below the picture on a phone
            shown = gr.HTML(panel.message(START), elem_id="camera-panel", min_height=320)
    with gr.Row():
        with gr.Column(min_width=320):
            bar = gr.HTML(panel.message(NO_BUDGET), elem_id="budget", apply_default_css=False)
        with gr.Column(min_width=320):
            target = gr.Slider(
                10,
                200,
                value=REAL_TIME_MS,
                step=1,
                label="Target for a frame, ms",
                info="40 ms is real time: 25 frames a second.",
                elem_id="frame-target",
            )
            smoothing = gr.Slider(
                0,
                1.5,
                value=DEFAULT_SMOOTHING_S,
                step=0.1,
                label="Smoothing, seconds",
                info="The bars average over about this time, and so lag behind the face. 0: no lag, but jumpy.",
                elem_id="smoothing",
            )
            camera_size = gr.Radio(
                CAMERA_SIZES,
                value=CAMERA_SIZES[0],
                label="Camera picture",
                info="Asked of the camera when the box above it is ticked.",
                elem_id="camera-size",
            )

    private: dict[str, Any] = {"queue": False, "api_visibility": "private"}
    consent.change(lambda agreed: gr.update(visible=agreed), consent, camera, **private)
    camera_size.change(lambda size: gr.update(webcam_options=_webcam(size)), camera_size, camera, **private)
    camera.stream(
        on_frame,
        [camera, chosen, wanted, unsure_below, why, smoothing, target, model],
        [answer, shown, bar],
        stream_every=0.02,  # seconds; the browser sends no frame while one is pending
        time_limit=STREAM_SECONDS,
        concurrency_limit=64,  # a running camera holds its place; who computes is the gate's matter
        show_progress="hidden",
        api_visibility="private",
    )


def _webcam(size: str) -> gr.WebcamOptions:
    width, height = map(int, size.split(" x "))
    return gr.WebcamOptions(constraints={"video": {"width": {"ideal": width}, "height": {"ideal": height}}})
