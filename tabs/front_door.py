"""What never reaches Gradio: bodies over the limit, and routes that this page does not use and that keep or fetch."""

from __future__ import annotations

import re
from contextlib import suppress

from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST_UPLOAD_MB = 50
"""Largest file that is taken in; above the limits of our own readers, whose messages say both numbers."""

LARGEST_UPLOAD = LARGEST_UPLOAD_MB * 2**20  # as Gradio counts
_FORM = 1_000_000  # names and boundaries around the files of an upload
LARGEST_MESSAGE = 12_000_000
"""Largest body of any other request, in bytes: a calibration as JSON text inside JSON, or a camera frame."""

CLOSED = re.compile(
    r"/gradio_api/("
    r"deep_link"  # writes what a page shows into a folder that nobody empties
    r"|process_recording"  # writes a video
    r"|component_server"  # takes files for components that this page does not have
    r"|proxy="  # asks other hosts
    r"|vibe"  # edits app.py
    r"|file[=/]\s*https?:"  # asks other hosts
    r")",
    re.IGNORECASE,
)
"""Routes of Gradio that nobody needs here."""


class FrontDoor:
    """ASGI middleware that turns away what ``CLOSED`` matches, and cuts bodies off at their limit.

    Args:
        app: What answers everything else.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        route = scope["path"].removeprefix(scope.get("root_path", ""))
        if CLOSED.match(route):
            await PlainTextResponse("Not found", 404)(scope, receive, send)
            return
        limit = LARGEST_UPLOAD + _FORM if route.startswith("/gradio_api/upload") else LARGEST_MESSAGE
        too_large = f"A request to this route has at most the maximum allowed size of {limit:,} bytes"
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if announced.isdigit() and int(announced) > limit:
            await PlainTextResponse(too_large, 413)(scope, receive, send)
            return
        received = 0

        async def receive_up_to_the_limit() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                # Of all errors, Gradio's reader of forms deletes what it has written upon this one alone.
                raise MultiPartException(too_large)
            return message

        # Whoever hung up midway needs no answer, and the log no traceback.
        with suppress(ClientDisconnect):
            await self._app(scope, receive_up_to_the_limit, send)
