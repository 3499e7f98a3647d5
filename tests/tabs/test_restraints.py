"""What Gradio would keep of a page in memory, seen through its own table of sessions."""

from __future__ import annotations

import gradio as gr
import pytest
from anyio.from_thread import start_blocking_portal
from gradio import processing_utils
from gradio.state_holder import SessionState

from tabs.restraints import restrain


@pytest.fixture
def blocks(monkeypatch):
    # Put back afterwards, whatever ``restrain`` replaces.
    monkeypatch.setattr(SessionState, "_update_value_in_config", SessionState._update_value_in_config)
    monkeypatch.setattr(
        processing_utils, "async_ssrf_protected_download", processing_utils.async_ssrf_protected_download
    )
    with gr.Blocks(analytics_enabled=False) as built:
        given, answer = gr.Textbox(), gr.Textbox()
        gr.Button().click(str.upper, given, answer)
    return built


def kept_after(blocks, text: str) -> str:
    """Lets Gradio answer as it does for a page; returns all that its session then holds."""
    state = SessionState(blocks)
    (function,) = blocks.fns.values()
    with start_blocking_portal() as portal:  # Playwright's loop may be running in this thread
        answer = portal.call(lambda: blocks.process_api(function, [text], state=state, request=None))
    assert answer["data"] == [text.upper()]
    return repr(list(state.components))


def test_a_session_remembers_nothing_of_what_was_shown(blocks):
    restrain()
    kept = kept_after(blocks, "a picture of me")
    assert "a picture of me" not in kept
    assert "A PICTURE OF ME" not in kept


def test_no_address_is_fetched(blocks, tmp_path):
    restrain()
    with start_blocking_portal() as portal, pytest.raises(gr.Error, match="this server asks no other host"):
        portal.call(processing_utils.async_ssrf_protected_download, "https://example.com/a.png", str(tmp_path))
    assert list(tmp_path.iterdir()) == []
