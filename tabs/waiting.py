"""What those who wait are told: Gradio's line over an answer that is not there yet, a client's ``job.status()``."""

from __future__ import annotations

import gradio as gr

from fer_core.calibration import Progress
from fer_core.compute import Place

from .board import Task, board

MOST_WAITING = 32
"""How many may wait for a turn at one operation, each with an upload in memory; more wait in Gradio's own queue."""

# Without a number the page shows nothing at all.
LINE = gr.Progress()
"""A page's handler must have it among its arguments, as a default, or nothing is told; an endpoint need not."""


def tell_place(place: Place) -> None:
    """Tells how many come first."""
    others = "1 other picture or frame comes" if place.ahead == 1 else f"{place.ahead} other pictures or frames come"
    about = "" if place.seconds is None else f", about {max(1, round(place.seconds))} s"
    LINE(place.fraction, desc=f"Waiting: {others} first{about}")


def tell_paused() -> None:
    """Tells that this CPU is being measured, and for how long."""
    LINE(board.fraction, desc=f"{board.paused()}; your picture comes after it")


def tell_calibration(task: Task, progress: Progress) -> None:
    """Tells how far the calibration under way is, whoever asked for it."""
    LINE(progress.fraction, desc=f"Measuring {task.model} in {task.runtime}")
