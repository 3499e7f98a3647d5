"""How many cases a fuzz run tries, and what strangers send: JSON values, damaged records, damaged files.

``FER_DEMO_NIGHTLY=1 python -m pytest tests/fuzz --timeout 0`` tries 2,000 cases a property; ``make test`` a few.
"""

from __future__ import annotations

import copy
import os
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from tests.conftest import ROOT

NIGHTLY_CASES = 2000


def cases(few: int) -> settings:
    """Returns the settings of a property: ``few`` cases, or ``NIGHTLY_CASES`` in the nightly form."""
    nightly = os.environ.get("FER_DEMO_NIGHTLY") == "1"
    # Fixtures of these tests hold servers and folders that every case may use.
    checks = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    return settings(max_examples=NIGHTLY_CASES if nightly else few, deadline=None, suppress_health_check=checks)


NUMBERS = st.one_of(
    st.integers(-3, 300),
    st.sampled_from([0, 10**6, 10**19, 10**400, -(10**400), 1e-320, 1e308, -0.0]),
    st.floats(allow_nan=False, allow_infinity=False),
)
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, st.text(max_size=20))
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
"""Any JSON value, huge numbers among them."""


def _places(value: Any, place: tuple = ()) -> list[tuple]:
    """Returns where each value inside a JSON value lies, as keys and indices."""
    children: Any = ()
    if isinstance(value, dict):
        children = value.items()
    elif isinstance(value, list):
        children = enumerate(value)
    return [place, *(found for key, child in children for found in _places(child, (*place, key)))]


@st.composite
def damaged(draw: st.DrawFn, record: Any) -> Any:
    """Draws a JSON record in which one to three values are replaced, left out, or repeated."""
    changed = copy.deepcopy(record)
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from([place for place in _places(changed) if place]) if changed else st.just(()))
        if not place:
            break
        target = changed
        for key in place[:-1]:
            target = target[key]
        what = draw(st.sampled_from(["replace", "near", "drop", "repeat"]))
        if what == "drop":
            del target[place[-1]]
        elif what == "repeat" and isinstance(target, list):
            target.append(copy.deepcopy(target[place[-1]]))
        elif what == "near" and isinstance(target[place[-1]], (int, float)):
            target[place[-1]] = draw(NUMBERS)
        else:
            target[place[-1]] = draw(JSON)
    return changed


@st.composite
def cut_and_changed(draw: st.DrawFn, files: list[bytes]) -> bytes:
    """Draws one of some files with a few bytes changed, removed or put in, and perhaps cut short."""
    data = bytearray(draw(st.sampled_from(files)))
    for _ in range(draw(st.integers(0, 8))):
        # Headers decide most, so half of the changes fall into the first hundred bytes.
        at = draw(st.integers(0, min(100, len(data) - 1)) | st.integers(0, len(data) - 1))
        match draw(st.sampled_from(["change", "remove", "insert"])):
            case "change":
                data[at] = draw(st.integers(0, 255))
            case "remove" if len(data) > 1:
                del data[at]
            case _:
                data[at:at] = draw(st.binary(min_size=1, max_size=4))
    if draw(st.booleans()):
        del data[draw(st.integers(1, len(data))) :]
    return bytes(data)


def names_no_path(text: str) -> bool:
    """Whether a text for strangers names none of this machine's folders."""
    return not any(folder in text for folder in (str(ROOT), str(Path.home()), tempfile.gettempdir(), "site-packages"))
