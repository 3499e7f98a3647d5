"""What the server remembers of each visitor while the page is open: numbers, and no picture."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import gradio as gr
import numpy as np
import supervision as sv

from fer_core.measurements import Measurements
from fer_core.recognizer import EmotionRecognizer
from fer_core.stream import LONGEST_GAP_S, StreamSession

from .board import Kept

if TYPE_CHECKING:
    from fer_core.runtimes import Runtime

    from .panel import View
    from .resolution import Followed
    from .video_job import VideoJob

MOST_VISITORS = 2000
"""Pages whose state is kept, the ones used last."""

LONGEST_UNUSED_S = 3600.0
"""A page that asks for nothing for so long is forgotten, in seconds: clients that never open a page never close one."""

_LEAST_FRAMES = 10  # before their percentile means something


@dataclass
class Visitor:
    """State of one open page.

    Attributes:
        frames: Analyzed frames per second over the last 30.
        session: Follows the faces in front of this page's camera.
        timings: Milliseconds by stage of the last frames, all of the session's model and resolution.
        answering: Held while a picture is answered, so that settings changed meanwhile answer it again.
        picture: What was found in the last uploaded picture.
        example: Whether that picture was the example.
        calibration: The calibration that this page shows.
        compared: An uploaded calibration beside it.
        asked: How often the calibration tab was asked for something.
        answer: The answer that may be handed to the live tab: the model, and its resolution in pixels.
        followed: What following the calibration came to last.
        other_stages_ms: What the last frames took beside the classifier, in ms.
        video: The video that this page had analyzed last.
        closed: Whether the page is gone.
        used_s: When it last asked for something, ``time.monotonic``.
    """

    frames: sv.FPSMonitor = field(default_factory=lambda: sv.FPSMonitor(30))
    session: StreamSession | None = None
    timings: deque[dict[str, float]] = field(default_factory=lambda: deque(maxlen=100))
    answering: threading.RLock = field(default_factory=threading.RLock)
    picture: View | None = None
    example: bool = False
    calibration: Kept | None = None
    compared: Measurements | None = None
    asked: int = 0
    answer: tuple[str, int] | None = None
    followed: Followed | None = None
    other_stages_ms: deque[float] = field(default_factory=lambda: deque(maxlen=100))
    video: VideoJob | None = None
    closed: bool = False
    used_s: float = field(default_factory=time.monotonic)

    @property
    def other_stages_p95_ms(self) -> float | None:
        """95th percentile of what a frame takes beside the classifier, in ms, or None before the tenth frame."""
        if len(self.other_stages_ms) < _LEAST_FRAMES:
            return None
        return float(np.percentile(self.other_stages_ms, 95))

    def session_at(self, recognizer: EmotionRecognizer) -> StreamSession:
        """Returns this camera's session with a recognizer: a new one after the camera was stopped."""
        times = self.frames.all_timestamps
        stopped = bool(times) and time.monotonic() - times[-1] > LONGEST_GAP_S
        if self.session is None or stopped:
            self.session = recognizer.stream()
            self.frames.reset()
            self.timings.clear()
        elif _reads(self.session.recognizer) != _reads(recognizer):
            self.session.recognizer = recognizer
            self.timings.clear()
        return self.session

    def count(self, timings_ms: dict[str, float], faces: int) -> float:
        """Counts an analyzed frame and returns the pace of the stream in frames per second.

        Args:
            timings_ms: Milliseconds by stage, ``total`` among them.
            faces: How many faces it shows.
        """
        self.timings.append(timings_ms)
        if faces:
            self.other_stages_ms.append(timings_ms["total"] - timings_ms["classify"])
        self.frames.tick()
        return self.frames.fps

    def watch(self, video: VideoJob) -> None:
        """Takes a video that is to end with the page, which may have been closed meanwhile."""
        self.video = video
        if self.closed:
            video.cancel.set()

    def close(self) -> None:
        """Ends what runs for a page that was closed."""
        self.closed = True
        if self.video is not None:
            self.video.cancel.set()


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
                return Visitor(closed=True)
            visitor = self._visitors.setdefault(name, Visitor())
            visitor.used_s = time.monotonic()
            self._visitors.move_to_end(name)
            while len(self._visitors) > MOST_VISITORS or self._oldest().used_s < visitor.used_s - LONGEST_UNUSED_S:
                self._visitors.popitem(last=False)[1].close()
            return visitor

    def _oldest(self) -> Visitor:
        return next(iter(self._visitors.values()))

    def forget(self, request: gr.Request) -> None:
        """Drops the state of a page that was closed, and ends its work."""
        name = name_of(request)
        with self._lock:
            visitor = self._visitors.pop(name, None)
            if visitor is not None:
                visitor.close()
            self._closed[name] = None
            while len(self._closed) > MOST_VISITORS:
                self._closed.popitem(last=False)

    def __len__(self) -> int:
        return len(self._visitors)


def _reads(recognizer: EmotionRecognizer) -> tuple[Runtime, int]:
    """Returns what a frame's timings depend on: the loaded model and the side of its input in pixels."""
    return recognizer.runtime, recognizer.resolution


def name_of(request: gr.Request) -> str:
    """Returns the name under which a page waits for its turn."""
    return request.session_hash or "api"


visitors = Visitors()
"""The table of this process."""
