"""What the server remembers of each visitor while the page is open: numbers, never pictures."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from dataclasses import dataclass, field

import gradio as gr
import numpy as np
import supervision as sv

from fer_core.measurements import Measurements
from fer_core.recognizer import Analysis

from .board import Kept

MOST_VISITORS = 2000
"""Pages whose state is kept, the ones used last."""

_LEAST_FRAMES = 10  # before their percentile means something
_PAUSE_SECONDS = 2.0  # a longer gap between frames is a camera that was stopped and started again


@dataclass
class Visitor:
    """State of one open page.

    Attributes:
        frames: Analyzed frames per second over the last 30.
        picture: What was found in the last uploaded picture, and at which resolution in pixels.
        calibration: The calibration that this page shows.
        compared: An uploaded calibration beside it.
        answer_px: The answer that may be handed to the live tab, in pixels.
        other_stages_ms: What the last frames took beside the classifier, in ms.
    """

    frames: sv.FPSMonitor = field(default_factory=lambda: sv.FPSMonitor(30))
    picture: tuple[Analysis, int] | None = None
    calibration: Kept | None = None
    compared: Measurements | None = None
    answer_px: int | None = None
    other_stages_ms: deque[float] = field(default_factory=lambda: deque(maxlen=100))

    @property
    def other_stages_p95_ms(self) -> float | None:
        """95th percentile of what a frame takes beside the classifier, in ms, or None before the tenth frame."""
        if len(self.other_stages_ms) < _LEAST_FRAMES:
            return None
        return float(np.percentile(self.other_stages_ms, 95))

    def tick(self) -> float:
        """Counts an analyzed frame and returns the pace of the stream in frames per second."""
        times = self.frames.all_timestamps
        if times and time.monotonic() - times[-1] > _PAUSE_SECONDS:
            self.frames.reset()
        self.frames.tick()
        return self.frames.fps


class Visitors:
    """All open pages by session hash. Work that ends after its page was closed leaves nothing behind."""

    def __init__(self) -> None:
        self._visitors: OrderedDict[str, Visitor] = OrderedDict()
        self._closed: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, request: gr.Request) -> Visitor:
        """Returns the state of the page that asks: a new one for a new page, one that nobody keeps for a closed one."""
        name = name_of(request)
        with self._lock:
            if name in self._closed:
                return Visitor()
            visitor = self._visitors.setdefault(name, Visitor())
            self._visitors.move_to_end(name)
            # Clients that never open a page never close one.
            while len(self._visitors) > MOST_VISITORS:
                self._visitors.popitem(last=False)
            return visitor

    def forget(self, request: gr.Request) -> None:
        """Drops the state of a page that was closed."""
        name = name_of(request)
        with self._lock:
            self._visitors.pop(name, None)
            self._closed[name] = None
            while len(self._closed) > MOST_VISITORS:
                self._closed.popitem(last=False)

    def __len__(self) -> int:
        return len(self._visitors)


def name_of(request: gr.Request) -> str:
    """Returns the name under which a page waits for its turn."""
    return request.session_hash or "api"


visitors = Visitors()
"""The table of this process."""
