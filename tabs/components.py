"""Gradio's image component without its detours: bytes in through our own reader, JPEG out without a file."""

from __future__ import annotations

import base64
from pathlib import Path

import gradio as gr
from gradio.data_classes import ImageData


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
