"""Gradio entry point: puts the tabs together and owns the launch settings. ``python app.py`` serves the page."""

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tabs.sweeper import own_folder

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ["GRADIO_TEMP_DIR"] = os.environ.get("GRADIO_TEMP_DIR") or own_folder()

import gradio as gr

from tabs import api, calibration, engine, live, panel, results, serving, video
from tabs.board import board
from tabs.front_door import LARGEST_UPLOAD_MB
from tabs.restraints import restrain
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
).set(
    # Gradio's own are too pale to be read on a projector (contrast 1.9 and 2.5; WCAG asks for 4.5).
    body_text_color_subdued="*neutral_500",
    block_info_text_color="*neutral_500",
    block_title_text_color="*neutral_700",
    block_label_text_color="*neutral_600",
    button_primary_background_fill="*primary_700",
    button_primary_background_fill_hover="*primary_800",
    button_primary_background_fill_dark="*primary_700",
    button_primary_background_fill_hover_dark="*primary_800",
    color_accent="*primary_700",
)

restrain()


def leave(request: gr.Request) -> None:
    """Ends and forgets what a closed page had under way."""
    board.cancel(name_of(request))
    visitors.forget(request)


def cameras() -> bool:
    """Returns whether the page takes a camera and uploads: not with ``FER_DEMO_CAMERA=off`` in the environment.

    Raises:
        ValueError: If the variable is something else than ``on`` or ``off``.
    """
    wanted = os.environ.get("FER_DEMO_CAMERA", "on")
    if wanted not in ("on", "off"):
        raise ValueError(f"FER_DEMO_CAMERA must be on or off, but got {wanted!r}")
    return wanted == "on"


def build(taking: bool) -> gr.Blocks:
    """Builds the page.

    Args:
        taking: Whether it takes a camera and uploads, or shows the examples alone.
    """
    # Uploads are looked for every 30 s and deleted once they are 60 s old.
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(30, 60)) as blocks:
        gr.Markdown(INTRODUCTION)
        with gr.Tabs():
            with gr.Tab("Live", id="live"):
                model, resolution = live.build(taking)
            with gr.Tab("Video", id="video"):
                video.build(model, resolution, taking)
            with gr.Tab("Calibration", id="calibration"):
                calibration.build(blocks, model, resolution, taking)
            with gr.Tab("Results", id="results") as results_tab:
                results.build(results_tab)
        api.build(taking)
        blocks.unload(leave)
    return blocks


demo = build(cameras())


HELP = """environment variables:
  GRADIO_SERVER_NAME     address to serve on; 127.0.0.1, this machine alone, by default; 0.0.0.0 is the whole network
  GRADIO_SERVER_PORT     port, 7860 by default
  FER_DEMO_SSL_CERTFILE  certificate, to serve https; with FER_DEMO_SSL_KEYFILE, its private key
  FER_DEMO_CAMERA        off: neither camera nor uploads; the examples, calibration and results stay
  FER_DEMO_FRAME_ANCESTORS  pages that may show this one in a frame; by default its own and Hugging Face's
  GRADIO_TEMP_DIR        folder for uploads, until they are deleted; one of its own by default

/health answers 200 with {"status": "ready"} or "loading", or 503 with "broken"."""


def certificate() -> dict[str, Any]:
    """Returns the launch settings for https; none unless the two environment variables name a certificate.

    Raises:
        ValueError: If one of the two is missing or names no file.
    """
    files = {name: os.environ.get(f"FER_DEMO_{name.upper()}") for name in ("ssl_certfile", "ssl_keyfile")}
    if not any(files.values()):
        return {}
    for name, path in files.items():
        if path is None or not Path(path).is_file():
            raise ValueError(f"FER_DEMO_{name.upper()} must name a file, but got {path!r}")
    # Gradio calls its own page once at the start, and would refuse a certificate that nobody has signed.
    return files | {"ssl_verify": False}


def main(arguments: Sequence[str] | None = None) -> None:
    """Serves the page; ``--help`` names the environment variables that say where and how."""
    parser = argparse.ArgumentParser(
        prog="fer-demo",
        description="Serves the demo of facial emotion recognition in the browser.",
        epilog=HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.parse_args(arguments)
    try:
        https = certificate()
        serving.headers()  # what the environment says of them is usable
    except ValueError as error:
        parser.exit(2, f"fer-demo: {error}\n")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    serving.share_heaps()
    engine.start_loading()
    demo.launch(
        theme=THEME,
        css=panel.STYLE,
        footer_links=["api", "settings"],
        run_history=False,  # it would keep pictures in the visitor's browser
        max_file_size=f"{LARGEST_UPLOAD_MB}mb",  # above our own limit, whose message says both numbers
        share=False,
        state_session_capacity=serving.MOST_SESSIONS,
        app_kwargs=serving.app_settings(),
        ssr_mode=False,  # a Space asks for it; Node.js would then answer in front of our headers and /health
        enable_monitoring=False,  # its page would show the paths of all visitors' requests
        **https,
        max_threads=256,  # whoever waits for a turn or a measurement holds one
    )


if __name__ == "__main__":
    main()
