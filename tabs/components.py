"""Components of several tabs: pictures as bytes in and JPEG out, without Gradio's detours; the choice of the model."""

from __future__ import annotations

import base64
from pathlib import Path

import gradio as gr
from gradio.data_classes import ImageData

from fer_core.recognizer import DEFAULT_MODEL

from . import engine


def read_upload(path: str) -> bytes:
    """Returns an upload's contents, or nothing if it was deleted meanwhile; our own reader then says so."""
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""


class PictureInput(gr.Image):
    """Hands the raw bytes of an upload, a pasted picture or a camera frame to the handler.

    Gradio's own ``preprocess`` decodes before any check of ours, clips 16-bit pictures, and fails on
    files that are no pictures where no handler can answer.
    """

    is_template = True

    def preprocess(self, payload: ImageData | None) -> bytes | None:  # type: ignore[override]
        """Returns the file's contents as they came, or None if there is none."""
        if payload is None:
            return None
        if payload.url and payload.url.startswith("data:"):
            try:
                return base64.b64decode(payload.url.partition(",")[2], validate=True)
            except ValueError:
                return b""
        return b"" if payload.path is None else read_upload(payload.path)


class JpegOutput(gr.Image):
    """Shows a JPEG sent inside the answer itself. Gradio's own output writes every picture to disk as WebP."""

    is_template = True

    def postprocess(self, value: bytes | None) -> ImageData | None:  # type: ignore[override]
        """Wraps the bytes of a JPEG as a data URL."""
        if value is None:
            return None
        return ImageData(url="data:image/jpeg;base64," + base64.b64encode(value).decode(), mime_type="image/jpeg")


def model_choice(info: str, elem_id: str) -> gr.Radio:
    """Adds a choice among the models that the page can run; hidden where there is no choice.

    Args:
        info: A line below the label.
        elem_id: Its id on the page.
    """
    offered = engine.models()
    return gr.Radio(
        offered,
        value=DEFAULT_MODEL,
        label="Model: what reads the faces",
        info=info,
        min_width=320,
        visible=len(offered) > 1,
        elem_id=elem_id,
    )
