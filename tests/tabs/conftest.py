"""A page of its own for a test that calls handlers as Gradio does."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from fer_core.compute import ComputeGate
from tabs import live, picture
from tabs.visitors import Visitors


@pytest.fixture
def page(monkeypatch):
    """A request of an open page, in a table and at a gate of their own, at ``page.table`` and ``page.gate``."""
    table, gate = Visitors(), ComputeGate()
    for module in (live, picture):
        monkeypatch.setattr(module, "visitors", table)
        monkeypatch.setattr(module, "gate", gate)
    return SimpleNamespace(session_hash="page", table=table, gate=gate)
