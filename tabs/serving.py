"""What a public page needs beside its contents: headers for the browser, and an address that says how it is."""

from __future__ import annotations

import ctypes
import os
import re
import sys
import tomllib
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import engine
from .front_door import FrontDoor
from .sweeper import sweeping

HEALTH = "/health"

MOST_SESSIONS = 200
"""Sessions of which Gradio keeps its own notes, about 0.3 MB each; a page whose notes are gone makes new ones."""

_ARENA_MAX = -8  # M_ARENA_MAX in glibc's malloc.h

# A Space is shown inside a page of Hugging Face.
FRAME_ANCESTORS = "'self' https://huggingface.co https://*.hf.space"

# Printable, without what would end the directive or the policy.
_SOURCES = re.compile(r"[!-+\--:<-~]+( [!-+\--:<-~]+)*")


def headers() -> dict[str, str]:
    """Returns the headers of every answer.

    ``FER_DEMO_FRAME_ANCESTORS`` in the environment replaces the pages that may show this one inside a frame, in the
    words of the header Content-Security-Policy.

    Raises:
        ValueError: If the variable holds what cannot be sources of that header.
    """
    ancestors = os.environ.get("FER_DEMO_FRAME_ANCESTORS", FRAME_ANCESTORS)
    if not _SOURCES.fullmatch(ancestors):
        raise ValueError(
            "FER_DEMO_FRAME_ANCESTORS must be sources as in Content-Security-Policy, separated by spaces, such as "
            f"'self' https://school.example, but got {ancestors!r}"
        )
    return {
        # Gradio's page has scripts and styles in line; from another host comes nothing at all.
        "content-security-policy": (
            "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'; object-src 'none'; base-uri 'self'; "
            f"frame-ancestors {ancestors}"
        ),
        "x-content-type-options": "nosniff",
        "referrer-policy": "same-origin",
        "permissions-policy": "camera=(self), microphone=(), geolocation=(), display-capture=()",
    }


class PublicHeaders:
    """Adds ``headers`` to every answer, streams and errors among them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._headers = headers()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self._headers)
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)


@cache
def version() -> str:
    """Returns the version of this project, installed or not."""
    try:
        return metadata.version("scalable-fer-demo")
    except metadata.PackageNotFoundError:
        project = Path(__file__).parents[1] / "pyproject.toml"
        return tomllib.loads(project.read_text())["project"]["version"] if project.is_file() else "unknown"


def health(request: Request) -> JSONResponse:
    """Says whether the model is loaded: status 200 with ``ready`` or ``loading``, 503 with ``broken``."""
    model = engine.state()
    return JSONResponse({"status": model, "version": version()}, status_code=503 if model == "broken" else 200)


def _failed(request: Request, error: Exception) -> JSONResponse:
    """Answers where something unexpected went wrong: outside of all middleware, so with the headers itself."""
    return JSONResponse({"detail": "Internal Server Error"}, status_code=500, headers=headers())


def app_settings() -> dict[str, Any]:
    """Returns the settings of the web application that Gradio makes."""
    return {
        "middleware": [Middleware(PublicHeaders), Middleware(FrontDoor)],
        "routes": [Route(HEALTH, health)],
        "exception_handlers": {Exception: _failed},
        "lifespan": sweeping,
    }


def share_heaps() -> None:
    """Lets all threads share two heaps, where the C library is glibc.

    It would give nearly every thread a heap of its own, and each of up to 256 waiting visitors is a thread: a burst of
    uploads would leave memory behind in all of them.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
        if mallopt is not None:
            mallopt(_ARENA_MAX, 2)
