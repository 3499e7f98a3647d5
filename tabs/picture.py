"""Live tab, uploads: a picture in, its annotated copy and the seven probabilities out."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import gradio as gr
import numpy as np
from skimage.data import astronaut

from fer_core.activation_maps import activation_maps
from fer_core.compute import MeasurementRunning, gate
from fer_core.drawing import draw_faces, reduced
from fer_core.pictures import PictureError, encode_jpeg, read_picture

from . import engine, panel, resolution, waiting
from .components import JpegOutput, PictureInput
from .visitors import name_of, visitors

LARGEST_SHOWN_SIDE = 1280  # px; annotated pictures are reduced to it

_POLL_SECONDS = 0.5

START = "Upload, drop or paste a picture, or try the example face."
EXAMPLE_ONLY = "This server takes neither a camera nor uploads: try the example face."
DELETED = "The upload was deleted meanwhile, as promised: upload the picture again to see this."


def _answer(
    read: Callable[[], np.ndarray], wanted: int | str, unsure_below: float, why: bool, model: str, request: gr.Request
) -> tuple[panel.View, bytes]:
    """Reads, analyzes, draws and encodes a picture in one turn of the visitor, so that nothing computes beside it."""
    pixels, note = resolution.resolved(wanted, visitors.of(request), model)
    with gate.turn(name_of(request), waiting.tell_place):
        recognizer = engine.recognizer(model).at(pixels)
        started = time.perf_counter()
        image = read()
        analysis = recognizer.analyze(image)
        faces = analysis.faces
        unsure = [face.confidence < unsure_below for face in faces]
        maps = activation_maps(faces, analysis.features, recognizer.runtime.head) if why else []
        jpeg = encode_jpeg(draw_faces(*reduced(image, faces, LARGEST_SHOWN_SIDE), unsure, maps))
        total_ms = 1000 * (time.perf_counter() - started)
    timings = analysis.timings_ms | {"with decoding and drawing": total_ms}
    grid = maps[0].shape if maps else None
    return panel.View(faces, unsure, model, pixels, unsure_below, timings, grid, note), jpeg


def _on_any_picture(
    read: Callable[[], np.ndarray],
    chosen: str,
    wanted: int | str,
    unsure_below: float,
    why: bool,
    model: str,
    request: gr.Request,
):
    visitor = visitors.of(request)
    with visitor.answering:
        visitor.picture = None
        try:
            while True:
                try:
                    visitor.picture, jpeg = _answer(read, wanted, unsure_below, why, model, request)
                    return jpeg, panel.render(visitor.picture, chosen)
                except MeasurementRunning:
                    waiting.tell_paused()
                    time.sleep(_POLL_SECONDS)
        except (PictureError, *engine.UNUSABLE) as error:
            return None, panel.message(str(error), alert=True)


def on_picture(
    data: bytes | None,
    chosen: str,
    wanted: int | str,
    unsure_below: float,
    why: bool,
    model: str,
    request: gr.Request,
    progress: gr.Progress = waiting.LINE,
):
    """Answers an uploaded, dropped or pasted picture with its annotated copy and the panel."""
    visitor = visitors.of(request)
    visitor.example = False
    if data is None:
        visitor.picture = None
        return None, panel.message(START)
    return _on_any_picture(lambda: read_picture(data), chosen, wanted, unsure_below, why, model, request)


def on_example(
    chosen: str,
    wanted: int | str,
    unsure_below: float,
    why: bool,
    model: str,
    request: gr.Request,
    progress: gr.Progress = waiting.LINE,
):
    """Answers the example: Eileen Collins, NASA, public domain."""
    visitors.of(request).example = True
    return _on_any_picture(astronaut, chosen, wanted, unsure_below, why, model, request)


def on_settings(
    data: bytes | None,
    chosen: str,
    wanted: int | str,
    unsure_below: float,
    why: bool,
    model: str,
    request: gr.Request,
):
    """Answers the picture that is shown once more, with other settings."""
    visitor = visitors.of(request)
    settings = chosen, wanted, unsure_below, why, model
    with visitor.answering:
        if visitor.picture is None:
            return gr.skip(), gr.skip()
        if visitor.example:
            return on_example(*settings, request)
        if not data:
            return gr.skip(), panel.message(DELETED, alert=True)
        return on_picture(data, *settings, request)


def on_face_chosen(chosen: str, request: gr.Request):
    """Shows the bars of another face of the same picture, without computing again."""
    view = visitors.of(request).picture
    return gr.skip() if view is None else panel.render(view, chosen)


def build(
    chosen: gr.Radio,
    wanted: gr.Radio,
    unsure_below: gr.Slider,
    why: gr.Checkbox,
    model: gr.Radio,
    uploads: bool = True,
) -> None:
    """Adds the components and their wiring to the Blocks under construction.

    Args:
        chosen: Whose bars to show.
        wanted: The resolution.
        unsure_below: Confidence under which a face is labeled unsure.
        why: Whether activation maps are drawn.
        model: The model that reads the faces.
        uploads: Whether pictures are taken, or the example alone.
    """
    with gr.Row():
        with gr.Column():
            # A state is the server's own: whatever a client sends in its place is not read.
            picture = (
                PictureInput(sources=["upload", "clipboard"], label="Picture", elem_id="picture", buttons=[])
                if uploads
                else gr.State(None)
            )
            example = gr.Button("Try the example face (astronaut Eileen Collins, NASA)", elem_id="example")
        answer = JpegOutput(
            label="Faces and emotions", interactive=False, elem_id="picture-answer", buttons=[], min_width=300
        )
        with gr.Column(min_width=300):
            shown = gr.HTML(panel.message(START if uploads else EXAMPLE_ONLY), elem_id="picture-panel", min_height=320)
    settings = [chosen, wanted, unsure_below, why, model]
    asked: dict[str, Any] = {
        "outputs": [answer, shown],
        "show_progress_on": answer,
        "concurrency_limit": waiting.MOST_WAITING,
    }
    if uploads:
        picture.change(on_picture, [picture, *settings], api_name="recognize_picture", **asked)
    example.click(on_example, settings, api_name="recognize_example", **asked)
    again: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", **asked}
    why.change(on_settings, [picture, *settings], **again)
    unsure_below.release(on_settings, [picture, *settings], **again)
    chosen.change(on_face_chosen, chosen, shown, queue=False, api_visibility="private")
