"""The seven colors: told apart by everybody, on light and on dark pages."""

from itertools import combinations

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from fer_core.emotions import COLORS, EMOTIONS

# Machado, Oliveira & Fernandes, 2009, table 1, severity 1.0, for linear RGB.
VISION = {
    "usual": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
PAGES = {"light": "#ffffff", "dark": "#0b0f19"}


def seen(color: str, vision: str) -> np.ndarray:
    """Returns a color as CIELAB, as somebody sees it."""
    srgb = np.array([int(color[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    linear = (VISION[vision] @ linear).clip(0, 1)
    return rgb2lab(np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055))


def test_every_emotion_has_a_color_of_its_own():
    assert tuple(COLORS) == EMOTIONS
    assert len(set(COLORS.values())) == len(EMOTIONS)


@pytest.mark.parametrize("vision", VISION)
def test_colors_are_told_apart(vision):
    lab = {emotion: seen(color, vision) for emotion, color in COLORS.items()}
    distances = {pair: deltaE_ciede2000(lab[pair[0]], lab[pair[1]]) for pair in combinations(EMOTIONS, 2)}
    # 2.3 is just noticeable side by side; bars and areas lie apart.
    assert min(distances.values()) > 9, sorted(distances.items(), key=lambda item: item[1])[:3]


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("page", PAGES)
def test_colors_stand_out_from_the_page(page, vision):
    background = seen(PAGES[page], vision)
    for emotion, color in COLORS.items():
        assert deltaE_ciede2000(seen(color, vision), background) > 20, emotion
