"""Draws the README's picture from a calibration: ``python -m benchmarks.latency_figure CALIBRATION.json OUT.svg``.

Plotly draws in a browser; Playwright drives the Chromium that the tests use.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright
from plotly.offline import get_plotlyjs

from fer_core.calibration import load_calibration
from fer_core.closed_loop import latency_curve
from fer_core.figures import latency

TARGET_MS = 40.0


def main(calibration: Path, output: Path) -> None:
    """Writes the figure of a calibration as SVG."""
    measurements = load_calibration(calibration)
    names = ("lagrange", "quadratic", "monotone")
    curves = {name: latency_curve(measurements.points, name) for name in names}
    figure = latency(measurements.points, curves, TARGET_MS)
    figure.update_layout(paper_bgcolor="white", plot_bgcolor="white", font_color="#333", width=900)
    executable = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        page = browser.new_page()
        page.add_script_tag(content=get_plotlyjs())
        svg = page.evaluate(
            "figure => Plotly.toImage(figure, {format: 'svg', width: 900, height: 420})"
            ".then(url => decodeURIComponent(url.slice(url.indexOf(',') + 1)))",
            figure.to_plotly_json(),
        )
        browser.close()
    output.write_text(svg)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
