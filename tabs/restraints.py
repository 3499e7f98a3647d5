"""What Gradio would do for other pages and must not do for this one: ask other hosts, and remember what was shown.

It has no settings for these; ``tests/tabs/test_restraints.py`` and ``tests/test_front_door.py`` watch that they hold.
"""

from __future__ import annotations

import gradio as gr
from gradio import processing_utils
from gradio.state_holder import SessionState


async def _refuse(url: str, cache_dir: str) -> str:
    raise gr.Error(
        "expected an uploaded file, but got an address: this server asks no other host", print_exception=False
    )


def restrain() -> None:
    """Switches them off, for the whole process."""
    # A file may be given by its address, in any input: Gradio would fetch it.
    processing_utils.async_ssrf_protected_download = _refuse
    # The last frames, uploads and answers of each session would stay in memory, of closed pages as well, for links to a
    # page as it stands, which this page does not offer.
    SessionState._update_value_in_config = lambda self, key, value: None  # type: ignore[method-assign]
