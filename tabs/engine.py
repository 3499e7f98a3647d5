"""The recognizer that all visitors share: loaded once, in the background, while the page already answers."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future

from fer_core import EmotionRecognizer
from fer_core.model_files import ModelFileError
from fer_core.worker_process import plain

logger = logging.getLogger(__name__)


class RecognizerMissing(ValueError):
    """Nothing can be recognized on this server; the message says what is missing, names no path, and what works."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"Faces cannot be recognized on this server: {reason}. Calibration and results still work.")


UNUSABLE = (ModelFileError, RecognizerMissing)
"""What ``recognizer`` raises."""

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


def state() -> str:
    """Says how the recognizer is: ``"ready"``, ``"loading"``, or ``"broken"`` after a load that failed."""
    loading = _loading
    if loading is None or not loading.done():
        return "loading"
    return "ready" if loading.exception() is None else "broken"


def recognizer() -> EmotionRecognizer:
    """Returns the shared recognizer, waiting for it to be loaded.

    Raises:
        ModelFileError: If the model's files are missing or damaged.
        RecognizerMissing: If a package cannot be imported, or loading failed in another way.
    """
    try:
        return start_loading().result()
    except ModelFileError:
        raise
    except ModuleNotFoundError as error:
        raise RecognizerMissing(f"the package {error.name} is not installed") from error
    # Libraries that were installed badly raise nearly anything.
    except Exception as error:
        logger.warning("the recognizer could not be loaded", exc_info=error)
        raise RecognizerMissing(plain(error)) from error
