"""The budget bar says where the time of a frame goes, and advises only what can help."""

import re

import pytest

from fer_core.stream import STAGES
from tabs import budget

FAST = {"decode": 1.0, "detect": 0.0, "track": 2.0, "classify": 4.0, "draw": 0.5, "encode": 0.5}


def frame(**stages: float) -> dict[str, float]:
    timings = FAST | stages
    return timings | {"total": sum(timings.values())}


def widths(text: str) -> list[float]:
    return [float(share) for share in re.findall(r'<span style="width:([\d.]+)%', text)]


def place(text: str, mark: str) -> float:
    return float(re.search(rf'<i{mark} style="left:([\d.]+)%', text)[1])


def test_every_stage_has_a_color_of_its_own_that_shows_on_white_and_on_black():
    assert tuple(budget.STAGE_COLORS) == STAGES
    assert len(set(budget.STAGE_COLORS.values())) == len(STAGES)

    def luminance(color):  # WCAG 2.2
        channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark = luminance("#0B0F19")  # Gradio's dark background
    for color in budget.STAGE_COLORS.values():
        assert 1.05 / (luminance(color) + 0.05) >= 3
        assert (luminance(color) + 0.05) / (dark + 0.05) >= 3


def test_the_bar_is_the_frame_to_scale():
    text = budget.render([frame(detect=8.0)], 40, 21.26)
    (decode, detect, track, classify, draw, encode), target = widths(text), place(text, "")
    assert detect == pytest.approx(8 * decode, rel=0.02)
    assert track == pytest.approx(2 * decode, rel=0.02)
    assert classify == pytest.approx(4 * decode, rel=0.02)
    assert draw == encode == pytest.approx(decode / 2, rel=0.02)
    assert target == pytest.approx(40 * decode, rel=0.02)
    assert "<b>21.3 frames/s</b>" in text


def test_a_stage_that_was_not_run_takes_no_place_but_stands_in_the_table():
    text = budget.render([frame()], 40, 20.0)
    assert len(widths(text)) == 5
    for stage in (*STAGES, "total"):
        assert f"</span>{stage}</th>" in text


def test_percentiles_come_with_the_tenth_frame():
    nine = [frame()] * 9
    assert budget.percentiles(nine) is None
    assert "fer-p95" not in budget.render(nine, 40, 20.0)
    frames = [frame()] * 90 + [frame(detect=60.0)] * 10
    p95 = budget.percentiles(frames)
    assert p95["detect"] == 60
    assert p95["total"] == 68
    text = budget.render(frames, 40, 20.0)
    assert place(text, ' class="fer-p95"') > place(text, "")
    assert "<td><b>60.0</b></td><td>60.0</td>" in text


def test_all_marks_stay_on_the_bar():
    text = budget.render([frame(detect=900.0)] * 20, 40, 1.0)
    assert sum(widths(text)) < 100
    assert place(text, ' class="fer-p95"') < 100


def test_a_screen_reader_hears_the_same():
    label = re.search(r'role="img" aria-label="([^"]*)"', budget.render([frame()] * 20, 40, 20.0))[1]
    assert label.startswith("This frame: 8 ms of 40 ms")
    assert "95 % of the last 20: at most 8 ms" in label
    assert "<" not in label


SETTING = {
    "faces": 1,
    "model": "scalable-env2b0",
    "resolution": 128,
    "fitting_px": None,
    "runtime": "openvino",
    "smaller_camera": True,
    "why": False,
}


@pytest.mark.parametrize(
    ("slow", "setting", "helps", "does_not"),
    [
        pytest.param(
            {"classify": 60.0},
            {},
            ["Calibration tab"],
            ["people", "camera", "runtime", "model"],
            id="classify-uncalibrated",
        ),
        pytest.param(
            {"classify": 60.0},
            {"fitting_px": 96},
            ["96 px in place of 128 px"],
            ["tab finds"],
            id="classify-calibrated",
        ),
        pytest.param(
            {"classify": 60.0}, {"fitting_px": 160}, ["a new calibration"], ["160 px"], id="classify-contradicted"
        ),
        pytest.param({"classify": 60.0}, {"faces": 3}, ["each of the 3 faces"], ["camera"], id="classify-several"),
        pytest.param(
            {"classify": 60.0}, {"runtime": "keras-predict"}, ["openvino in place of keras-predict"], [], id="runtime"
        ),
        pytest.param(
            {"classify": 60.0},
            {"model": "scalable-env2s"},
            ["the smaller model scalable-env2b0"],
            [],
            id="larger-model",
        ),
        pytest.param({"detect": 60.0}, {}, ["smaller camera picture"], ["resolution", "people"], id="detect"),
        pytest.param({"detect": 60.0}, {"faces": 2}, ["smaller camera picture", "2 faces"], [], id="detect-several"),
        pytest.param({"track": 60.0}, {"faces": 5}, ["each of the 5 faces"], ["camera"], id="track-several"),
        pytest.param({"track": 60.0}, {}, ["no setting here"], ["camera", "people"], id="track-one-face"),
        pytest.param({"decode": 60.0}, {}, ["smaller camera picture"], ["resolution"], id="decode"),
        pytest.param(
            {"decode": 60.0},
            {"smaller_camera": False},
            ["no setting here"],
            ["camera"],
            id="the-camera-is-small-already",
        ),
        pytest.param({"draw": 60.0}, {"why": True}, ["switching Show why off"], [], id="draw-with-maps"),
        pytest.param({"draw": 60.0}, {}, ["smaller camera picture"], ["Show why"], id="draw"),
        pytest.param({"encode": 60.0}, {"why": True}, ["smaller camera picture"], ["Show why"], id="encode"),
    ],
)
def test_advice_names_the_lever_of_the_stage_that_dominates(slow, setting, helps, does_not):
    text = budget.advice([frame(**slow)] * 20, 40, **SETTING | setting)
    (stage,) = slow
    assert f"most of it for {stage}" in text
    for lever in helps:
        assert lever in text
    for lever in does_not:
        assert lever not in text


@pytest.mark.parametrize(
    "timings",
    [
        pytest.param([frame()] * 100, id="in-time"),
        pytest.param([frame(detect=60.0)] * 9, id="too-few-to-tell"),
        pytest.param([frame()] * 97 + [frame(detect=60.0)] * 3, id="late-now-and-then"),
    ],
)
def test_there_is_no_advice_without_need(timings):
    assert not budget.is_slow(timings, 40)
    assert budget.advice(timings, 40, **SETTING) == ""
