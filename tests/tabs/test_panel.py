"""The panel says what was found, whose bars it shows, and escapes what it is told."""

import re

import pytest

from fer_core.emotions import EMOTIONS
from fer_core.face import Face, TrackedFace
from tabs import panel
from tabs.panel import View


def shares(emotion: str, confidence: float = 0.7) -> dict[str, float]:
    return {name: confidence if name == emotion else (1 - confidence) / 6 for name in EMOTIONS}


def face(side: int, emotion: str) -> Face:
    return Face((0, 0, side, side), 0.99, shares(emotion))


FACES = [face(200, "anger"), face(90, "fear"), face(50, "surprise")]


def view(faces=FACES, **of: object) -> View:
    return View(**{"faces": faces, "unsure": [False] * len(faces), "model": "scalable-env2b0", "resolution": 128} | of)


@pytest.mark.parametrize(
    ("chosen", "emotion", "side"),
    [
        pytest.param("largest", "anger", 200, id="largest"),
        pytest.param("2nd", "fear", 90, id="second"),
        pytest.param("5th", "surprise", 50, id="fewer-faces-than-asked-for"),
    ],
)
def test_bars_of_the_chosen_face(chosen, emotion, side):
    text = panel.render(view(), chosen)
    assert f"the highest is {emotion}" in text
    assert f"<b>{emotion}</b> <span>confidence 70%</span>" in text
    assert f"<b>{side} px</b>" in text
    assert "<b>3 faces</b>" in text
    assert "scalable-env2b0 sees <b>128 x 128 px</b>" in text
    assert ("Only 3 faces here" in text) == (chosen == "5th")
    assert ("enlarged and blurred" in text) == (side * 2 < 128)
    assert re.findall(r'class="fer-name[^>]*>(\w+)<', text) == list(EMOTIONS)


def test_no_face_says_what_to_do():
    text = panel.render(view([], timings_ms={"detect": 20.4}, note="why this size", grid=(4, 4)), "largest")
    assert "No face found" in text
    assert "detect <b>20 ms</b>" in text
    assert "why this size" in text
    assert "yellow" not in text, "no face, no map to explain"


def test_an_unsure_face_still_shows_its_best_guess():
    text = panel.render(view(unsure=[True, False, False], unsure_below=0.75), "largest")
    assert "<b>unsure</b> <span>best guess anger, confidence 70%, under 75%</span>" in text
    assert "the highest is anger" in text
    assert "unsure" not in panel.render(view(unsure=[True, False, False], unsure_below=0.75), "2nd")


def test_a_followed_face_has_its_number_and_the_frame_alone_beside_the_smoothed_bars():
    followed = TrackedFace((0, 0, 90, 90), 0.99, shares("fear", 0.7), 12, shares("anger", 0.4), False)
    text = panel.render(view([followed], smoothing_s=0.6), "largest")
    assert "turns the label after about 0.4 s" in text
    assert "followed as <b>number 12</b>" in text
    assert "the highest is fear" in text
    ticks = [float(share) for share in re.findall(r'<i style="left:([\d.]+)%', text)]
    assert ticks == pytest.approx([100 * shares("anger", 0.4)[name] for name in EMOTIONS], abs=0.06)
    same = TrackedFace((0, 0, 90, 90), 0.99, shares("fear"), 12, shares("fear"), False)
    text = panel.render(view([same]), "largest")
    assert "<i " not in text
    assert "Smoothed" not in text


def test_maps_are_explained_with_how_coarse_they_are():
    text = panel.render(view(grid=(4, 4)), "largest")
    assert "yellow marks the parts of the face that spoke most" in text
    assert "a grid of 4 x 4 fields" in text
    assert "yellow" not in panel.render(view(), "largest")


def test_messages_are_escaped():
    assert "<script>" not in panel.message("<script>alert(1)</script>", alert=True)
    assert 'role="alert"' in panel.message("careful", alert=True)
