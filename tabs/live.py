"""Live tab: webcam stream and picture upload, each with its annotated picture and the seven probabilities."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import gradio as gr
import numpy as np
from skimage.data import astronaut

from fer_core import model_files
from fer_core.compute import MeasurementRunning, gate
from fer_core.drawing import draw_faces
from fer_core.model_files import ModelFileError
from fer_core.pictures import PictureError, encode_jpeg, read_picture
from fer_core.recognizer import DEFAULT_MODEL, DEFAULT_RESOLUTION, Analysis, Face

from . import engine, panel
from .components import JpegOutput, PictureInput
from .visitors import name_of, visitors

RESOLUTIONS = (64, 96, 128, 160)  # px; larger ones are less accurate with these weights (see models/)
CAMERA = {"video": {"width": {"ideal": 640}, "height": {"ideal": 480}}}
LARGEST_SHOWN_SIDE = 1280  # px; annotated pictures are reduced to it
PAUSE_SECONDS = 0.5  # between answers to a camera while this CPU is being measured
STREAM_SECONDS = 600  # a camera left running gives its place back after this

NOTICE = """**What this is.** A neural network guesses which of seven posed expressions a face shows. It learned from
photographs of people who acted emotions (KDEF) and from pictures found on the web and labeled by others (RAF-DB,
FER+): it reads faces, not feelings, and is often wrong. **Nothing is stored**: pictures are analyzed in memory and
uploads are deleted within two minutes. Inferring emotions of students or employees is **prohibited in the EU** (AI Act,
Article 5(1)(f)); show it on yourself, not on your class. The weights are for research and non-commercial use only."""

CONSENT = "I point it at myself or at people who agreed"
START = "Tick the box above, then allow the camera and press the record button below the picture."


def _shown(image: np.ndarray, faces: list[Face]) -> bytes:
    scale = min(1.0, LARGEST_SHOWN_SIDE / max(image.shape[:2]))
    if scale < 1.0:
        size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        faces = [
            Face(tuple(round(edge * scale) for edge in face.box), face.detection_score, face.probabilities)
            for face in faces
        ]
    return encode_jpeg(draw_faces(image, faces))


@dataclass(frozen=True)
class Answered:
    """A picture as it is answered: what was found, the annotated JPEG, and the time from bytes to bytes in ms."""

    analysis: Analysis
    jpeg: bytes
    milliseconds: float


def _answer(read: Callable[[], np.ndarray], resolution: int, request: gr.Request) -> Answered:
    """Reads, analyzes, draws and encodes a picture in one turn of the visitor, so that nothing computes beside it."""
    loaded = engine.recognizer()
    with gate.turn(name_of(request)):
        recognizer = loaded.at(resolution)
        started = time.perf_counter()
        image = read()
        analysis = recognizer.analyze(image)
        jpeg = _shown(image, analysis.faces)
        return Answered(analysis, jpeg, 1000 * (time.perf_counter() - started))


def trained_range() -> tuple[int, int] | None:
    """Returns the smallest and largest resolution that the served weights were trained for, in pixels, if known."""
    metrics = model_files.read_metrics(DEFAULT_MODEL) or {}
    sizes = metrics.get("trained_sizes")
    return (min(sizes), max(sizes)) if sizes else None


def on_frame(data: bytes | None, chosen: str, resolution: int, request: gr.Request):
    """Answers one camera frame with its annotated JPEG and the panel."""
    if data is None:
        return gr.skip(), gr.skip()
    visitor = visitors.of(request)
    try:
        answered = _answer(lambda: read_picture(data), resolution, request)
    except MeasurementRunning as error:
        # The browser sends the next frame once this one is answered; at once, it would disturb the measurement.
        time.sleep(PAUSE_SECONDS)
        return gr.skip(), panel.message(str(error), alert=True)
    except (PictureError, ModelFileError) as error:
        return gr.skip(), panel.message(str(error), alert=True)
    if answered.analysis.faces:
        visitor.other_stages_ms.append(answered.milliseconds - answered.analysis.timings_ms["classify"])
    pace = visitor.tick()
    return answered.jpeg, panel.render(answered.analysis, chosen, resolution, answered.milliseconds, pace)


def _on_any_picture(read: Callable[[], np.ndarray], chosen: str, resolution: int, request: gr.Request):
    visitor = visitors.of(request)
    visitor.picture = None
    try:
        answered = _answer(read, resolution, request)
    except (PictureError, ModelFileError, MeasurementRunning) as error:
        return None, panel.message(str(error), alert=True)
    visitor.picture = answered.analysis, resolution
    return answered.jpeg, panel.render(answered.analysis, chosen, resolution, answered.milliseconds)


def on_picture(data: bytes | None, chosen: str, resolution: int, request: gr.Request):
    """Answers an uploaded, dropped or pasted picture with its annotated copy and the panel."""
    if data is None:
        visitors.of(request).picture = None
        return None, panel.message("Upload, drop or paste a picture, or try the example face.")
    return _on_any_picture(lambda: read_picture(data), chosen, resolution, request)


def on_example(chosen: str, resolution: int, request: gr.Request):
    """Answers the example: Eileen Collins, NASA, public domain."""
    return _on_any_picture(astronaut, chosen, resolution, request)


def on_face_chosen(chosen: str, request: gr.Request):
    """Shows the bars of another face of the same picture, without computing again."""
    picture = visitors.of(request).picture
    return gr.skip() if picture is None else panel.render(picture[0], chosen, picture[1])


def build() -> gr.Radio:
    """Adds the tab's components and wiring to the Blocks under construction; returns the choice of resolution."""
    gr.Markdown(NOTICE, elem_classes="notice")
    with gr.Row():
        resolution = gr.Radio(
            RESOLUTIONS,
            value=DEFAULT_RESOLUTION,
            label="Resolution: what the model sees, in pixels",
            info="Every face of the next picture is resized to this side. Smaller is faster and blurrier.",
            elem_id="resolution",
        )
        chosen = gr.Radio(
            panel.FACE_CHOICES, value=panel.FACE_CHOICES[0], label="Bars for which face", elem_id="face-choice"
        )
    with gr.Tabs():
        with gr.Tab("Webcam", id="webcam"):
            consent = gr.Checkbox(label=CONSENT, value=False, elem_id="consent")
            with gr.Row():
                camera = PictureInput(
                    sources=["webcam"],
                    streaming=True,
                    label="Camera",
                    visible=False,
                    webcam_options=gr.WebcamOptions(constraints=CAMERA),
                    elem_id="camera",
                )
                camera_answer = JpegOutput(
                    label="Faces and emotions", interactive=False, elem_id="camera-answer", buttons=[], min_width=300
                )
                with gr.Column(min_width=300):  # goes below the picture on a phone
                    camera_panel = gr.HTML(panel.message(START), elem_id="camera-panel", min_height=320)
        with gr.Tab("Picture", id="picture"), gr.Row():
            with gr.Column():
                picture = PictureInput(sources=["upload", "clipboard"], label="Picture", elem_id="picture", buttons=[])
                example = gr.Button("Try the example face (astronaut Eileen Collins, NASA)", elem_id="example")
            picture_answer = JpegOutput(
                label="Faces and emotions", interactive=False, elem_id="picture-answer", buttons=[], min_width=300
            )
            with gr.Column(min_width=300):
                picture_panel = gr.HTML(
                    panel.message("Upload, drop or paste a picture, or try the example face."),
                    elem_id="picture-panel",
                    min_height=320,
                )

    consent.change(lambda agreed: gr.update(visible=agreed), consent, camera, queue=False, api_visibility="private")
    camera.stream(
        on_frame,
        [camera, chosen, resolution],
        [camera_answer, camera_panel],
        stream_every=0.02,  # seconds; the browser sends no frame while one is pending
        time_limit=STREAM_SECONDS,
        concurrency_limit=64,  # a running camera holds its place; who computes is the gate's matter
        show_progress="hidden",
        api_visibility="private",
    )
    asked = {"outputs": [picture_answer, picture_panel], "concurrency_limit": 16}
    picture.change(on_picture, [picture, chosen, resolution], api_name="recognize_picture", **asked)
    example.click(on_example, [chosen, resolution], api_name="recognize_example", **asked)
    chosen.change(on_face_chosen, chosen, picture_panel, queue=False, api_visibility="private")
    return resolution
