"""Real-time facial emotion recognition at a resolution tuned to the CPU that serves it."""

from .recognizer import EmotionRecognizer, Face

__all__ = ["EmotionRecognizer", "Face"]
