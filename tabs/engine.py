"""The recognizers that all visitors share, one for each model: loaded once, while the page already answers."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future

from fer_core import EmotionRecognizer
from fer_core.model_files import ModelFileError, trained_models
from fer_core.recognizer import DEFAULT_MODEL
from fer_core.worker_process import plain

logger = logging.getLogger(__name__)


class RecognizerMissing(ValueError):
    """Nothing can be recognized on this server; the message says what is missing, names no path, and what works."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"Faces cannot be recognized on this server: {reason}. Calibration and results still work.")


UNUSABLE = (ModelFileError, RecognizerMissing)
"""What ``recognizer`` raises."""

_lock = threading.Lock()
_loading: dict[str, Future[EmotionRecognizer]] = {}


def models() -> list[str]:
    """Returns what the page can run: the models whose weights are shipped, and the first even without, to say so."""
    trained = trained_models()
    return trained if DEFAULT_MODEL in trained else [DEFAULT_MODEL, *trained]


def _load(model: str, future: Future[EmotionRecognizer]) -> None:
    try:
        future.set_result(EmotionRecognizer.load(model))
    # Whatever failed is raised again where the recognizer is asked for.
    except BaseException as error:
        future.set_exception(error)


def start_loading(model: str = DEFAULT_MODEL) -> Future[EmotionRecognizer]:
    """Begins to load a model's recognizer unless that was done; a load that failed is tried again."""
    with _lock:
        loading = _loading.get(model)
        if loading is None or (loading.done() and loading.exception() is not None):
            loading = _loading[model] = Future()
            threading.Thread(target=_load, args=(model, loading), name="load-recognizer", daemon=True).start()
        return loading


def state() -> str:
    """Says how the page's first model is: ``"ready"``, ``"loading"``, or ``"broken"`` after a load that failed."""
    loading = _loading.get(DEFAULT_MODEL)
    if loading is None or not loading.done():
        return "loading"
    return "ready" if loading.exception() is None else "broken"


def recognizer(model: str = DEFAULT_MODEL) -> EmotionRecognizer:
    """Returns the shared recognizer of a model, waiting for it to be loaded: that computes, so ask in a turn.

    Args:
        model: One of ``models``.

    Raises:
        ModelFileError: If the model's files are missing or damaged.
        RecognizerMissing: If a package cannot be imported, or loading failed in another way.
    """
    try:
        return start_loading(model).result()
    except ModelFileError:
        raise
    except ModuleNotFoundError as error:
        raise RecognizerMissing(f"the package {error.name} is not installed") from error
    # Libraries that were installed badly raise nearly anything.
    except Exception as error:
        logger.warning("the recognizer could not be loaded", exc_info=error)
        raise RecognizerMissing(plain(error)) from error
