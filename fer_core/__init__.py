"""Real-time facial emotion recognition at a resolution tuned to the CPU that serves it."""

from .face import Face, TrackedFace
from .recognizer import EmotionRecognizer
from .stream import StreamSession

__all__ = ["EmotionRecognizer", "Face", "StreamSession", "TrackedFace"]
