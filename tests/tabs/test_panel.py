"""The panel says what was found, whose bars it shows, and escapes what it is told."""

import pytest

from fer_core.emotions import EMOTIONS
from fer_core.recognizer import Analysis, Face
from tabs import panel

TIMINGS = {"detect": 20.0, "classify": 5.0, "total": 25.0}


def face(side: int, emotion: str) -> Face:
    shares = {name: 0.7 if name == emotion else 0.05 for name in EMOTIONS}
    return Face((0, 0, side, side), 0.99, shares)


FACES = Analysis([face(200, "anger"), face(90, "fear"), face(50, "surprise")], TIMINGS)


@pytest.mark.parametrize(
    ("chosen", "emotion", "side"),
    [
        pytest.param("largest", "anger", 200, id="largest"),
        pytest.param("2nd", "fear", 90, id="second"),
        pytest.param("5th", "surprise", 50, id="fewer-faces-than-asked-for"),
    ],
)
def test_bars_of_the_chosen_face(chosen, emotion, side):
    text = panel.render(FACES, chosen, 128)
    assert f"the highest is {emotion}" in text
    assert f"<b>{side} px</b>" in text
    assert "<b>3 faces</b>" in text
    assert "<b>128 x 128 px</b>" in text
    assert ("Only 3 faces here" in text) == (chosen == "5th")
    assert ("enlarged and blurred" in text) == (side * 2 < 128)
    assert [text.index(f">{name}<") for name in EMOTIONS] == sorted(text.index(f">{name}<") for name in EMOTIONS)


def test_no_face_says_what_to_do():
    text = panel.render(Analysis([], TIMINGS), "largest", 128, frames_per_second=12.34)
    assert "No face found" in text
    assert "<b>12.3 frames/s</b>" in text


def test_messages_are_escaped():
    assert "<script>" not in panel.message("<script>alert(1)</script>", alert=True)
    assert 'role="alert"' in panel.message("careful", alert=True)
