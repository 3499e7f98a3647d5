"""The recognizer that all visitors share: loaded once, in the background, while the page already answers."""

from __future__ import annotations

import threading
from concurrent.futures import Future

from fer_core import EmotionRecognizer

_lock = threading.Lock()
_loading: Future[EmotionRecognizer] | None = None


def _load(future: Future[EmotionRecognizer]) -> None:
    try:
        future.set_result(EmotionRecognizer.load())
    # Whatever failed is raised again where the recognizer is asked for.
    except BaseException as error:
        future.set_exception(error)


def start_loading() -> Future[EmotionRecognizer]:
    """Begins to load the recognizer unless that was done; a load that failed is tried again."""
    global _loading
    with _lock:
        if _loading is None or (_loading.done() and _loading.exception() is not None):
            _loading = Future()
            threading.Thread(target=_load, args=(_loading,), name="load-recognizer", daemon=True).start()
        return _loading


def recognizer() -> EmotionRecognizer:
    """Returns the shared recognizer, waiting for it to be loaded.

    Raises:
        ModelFileError: If the model's files are missing or damaged.
    """
    return start_loading().result()
