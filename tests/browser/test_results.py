"""Results tab in a real browser: the table, the switch, the figures, the downloads."""

import csv
import json
import re
import time

import pytest

from fer_core import model_files
from fer_core.recognizer import DEFAULT_MODEL

SHOWN_MS = 30_000


@pytest.fixture
def tab(page):
    page.get_by_role("tab", name="Results", exact=True).click()
    page.locator("#table-2 table").wait_for(timeout=SHOWN_MS)
    return page


@pytest.fixture(scope="module")
def metrics():
    return json.loads((model_files.model_folder(DEFAULT_MODEL) / "metrics.json").read_text())


def our_cells(tab):
    """Returns the cells of the default model's row, the model's name first."""
    return tab.locator("#table-2 tr", has_text=DEFAULT_MODEL).first.locator("th, td").all_inner_texts()


def switch(tab, words):
    before = tab.locator("#table-2").inner_text()
    tab.locator("#split").get_by_text(words).click()
    tab.wait_for_function(
        "before => document.querySelector('#table-2').innerText !== before", arg=before, timeout=SHOWN_MS
    )


def legend(tab, figure):
    return tab.locator(f"{figure} .legendtext").all_text_contents()


def eventually(holds):
    """Waits for a condition: the table and the figures are answers of their own, in either order."""
    deadline = time.monotonic() + SHOWN_MS / 1000
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_table_figures_and_switch(tab, metrics):
    apart = next(
        metrics["protocols"][name]
        for name in ("kdef-unseen-people", "kdef-unseen-people-fold0")
        if name in metrics["protocols"]
    )
    cells = our_cells(tab)
    assert cells[1:8] == ["302", "0.96", "0.16", "0.95", "0.96", "0.97", "40"]
    assert cells[9].startswith(f"{apart['accuracy']:.3f}")
    for figure in ("splits", "trade-off", "resolution", "confusion", "angle", "loss", "accuracy"):
        tab.locator(f"#{figure}-figure .js-plotly-plot").wait_for(timeout=SHOWN_MS)
    assert any("kept apart" in name for name in legend(tab, "#resolution-figure"))

    switch(tab, "people mixed")
    tab.locator("#resolution-figure .legendtext", has_text="kept apart").first.wait_for(
        state="detached", timeout=SHOWN_MS
    )
    mixed = metrics["protocols"].get("kdef-paper-split")
    if mixed is None:
        command = "python -m train evaluate --protocol kdef-paper-split --retrain"
        eventually(lambda: command in tab.locator("#leak").inner_text())
        eventually(lambda: command in our_cells(tab)[8])
        tab.locator("#angle-note").get_by_text("not measured by angle").wait_for(timeout=SHOWN_MS)
    else:
        eventually(lambda: our_cells(tab)[9].startswith(f"{mixed['accuracy']:.3f}"))
        eventually(lambda: "percentage points" in tab.locator("#leak").inner_text())

    switch(tab, "people kept apart")
    eventually(lambda: our_cells(tab) == cells)
    assert not [line for line in tab.messages if line.startswith("error")]


def test_another_confusion_matrix_and_another_training(tab, metrics):
    counts = tab.locator("#confusion-figure .heatmap-label")
    counts.first.wait_for(timeout=SHOWN_MS)
    rare = str(metrics["protocols"]["raf-db-test"]["confusion"][3][3])
    tab.locator("#scored").get_by_text("RAF-DB").first.click()
    counts.get_by_text(rare, exact=True).first.wait_for(timeout=SHOWN_MS)
    tab.locator("#trained").get_by_text("bdf-inceptionv3").click()
    tab.locator("#training-note").get_by_text("ImageNet weights not available here").wait_for(timeout=SHOWN_MS)
    tab.locator("#loss-figure .js-plotly-plot").wait_for(state="detached", timeout=SHOWN_MS)


def test_downloads(tab, metrics):
    with tab.expect_download() as started:
        tab.locator("#results-downloads").get_by_text("every_figure.csv").click()
    rows = list(csv.DictReader(started.value.path().open()))
    mine = [row for row in rows if row["model"] == DEFAULT_MODEL]
    assert [float(row["accuracy"]) for row in mine] == [entry["accuracy"] for entry in metrics["protocols"].values()]
    with tab.expect_download() as started:
        tab.locator("#results-downloads").get_by_text("table_2.csv").click()
    (row,) = (row for row in csv.DictReader(started.value.path().open()) if row["model"] == DEFAULT_MODEL)
    assert re.match(rf"{float(row['here: accuracy']):.3f}", our_cells(tab)[9])


@pytest.mark.parametrize("width", [pytest.param(390, id="phone"), pytest.param(1280, id="laptop")])
def test_wide_tables_scroll_in_their_own_frame(tab, width):
    tab.set_viewport_size({"width": width, "height": 900})
    tab.wait_for_timeout(300)
    for table in ("#table-2", "#every-figure"):
        frame, content = tab.locator(f"{table} .fer-wide").evaluate("box => [box.clientWidth, box.scrollWidth]")
        assert frame <= width
        assert width < 1280 or content <= frame, f"{table} is cut on a laptop"
        text = tab.locator(f"{table} .fer-text").first
        assert text.bounding_box()["width"] >= 200, f"long texts of {table} are squeezed"
