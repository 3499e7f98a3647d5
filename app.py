"""Gradio entry point: puts the tabs together and owns the launch settings. ``python app.py`` serves the page."""

from __future__ import annotations

import logging
import os

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

import gradio as gr

from tabs import api, calibration, engine, live, panel, results
from tabs.board import board
from tabs.visitors import name_of, visitors

TITLE = "Facial emotions at a resolution your CPU can afford"
INTRODUCTION = f"""# {TITLE}
A face in, an emotion out, on a plain CPU. How large a face the model gets to see is not guessed: it is
**measured on the machine that serves this page**."""

# Fonts of the visitor's own system: a named web font would be fetched from another host.
THEME = gr.themes.Default(
    primary_hue="teal",
    font=["system-ui", "Segoe UI", "Roboto", "Helvetica Neue", "sans-serif"],
    font_mono=["ui-monospace", "Consolas", "monospace"],
)


def leave(request: gr.Request) -> None:
    """Ends and forgets what a closed page had under way."""
    board.cancel(name_of(request))
    visitors.forget(request)


def build() -> gr.Blocks:
    """Builds the page."""
    # Uploads are looked for every 30 s and deleted once they are 60 s old.
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(30, 60)) as blocks:
        gr.Markdown(INTRODUCTION)
        with gr.Tabs():
            with gr.Tab("Live", id="live"):
                resolution = live.build()
            with gr.Tab("Calibration", id="calibration"):
                calibration.build(blocks, resolution)
            with gr.Tab("Results", id="results"):
                results.build()
        api.build()
        blocks.unload(leave)
    return blocks


demo = build()


def main() -> None:
    """Serves the page on 127.0.0.1:7860, or where GRADIO_SERVER_NAME and GRADIO_SERVER_PORT say."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    engine.start_loading()
    demo.launch(
        theme=THEME,
        css=panel.STYLE,
        footer_links=["api", "settings"],
        run_history=False,  # it would keep pictures in the visitor's browser
        max_file_size="50mb",  # above our own limit, whose message says both numbers
        share=False,
        max_threads=256,  # whoever waits for a turn or a measurement holds one
    )


if __name__ == "__main__":
    main()
