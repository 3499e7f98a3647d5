"""A package that cannot be imported: the page is built, the rest works, and what is missing is named."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT

# Python runs this file at its start, in worker processes too: the package is gone for all of them.
BLOCKER = """
import os, sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == os.environ["MISSING"]:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocker())
import importlib.util
_find_spec = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: (
    None if name.partition(".")[0] == os.environ["MISSING"] else _find_spec(name, package)
)
"""

# What a visitor would do on every tab.
VISIT = """
import json
from types import SimpleNamespace
import app
from tabs import calibration, picture, results

page = SimpleNamespace(session_hash="page")
said = {"runtimes": calibration.runtimes_here()}
settings = "largest", 128, 0.4, False, "scalable-env2b0"
jpeg, said["picture"] = picture.on_example(*settings, page)
said["answered"] = jpeg is not None
said["again"] = picture.on_example(*settings, page)[1] == said["picture"] or said["answered"]
said["results"] = results.show_tables(results.SPLITS[0].name).table
print(json.dumps(said))
"""


def visit(package: str, folder) -> dict:
    """Returns what a visitor is told by a server without a package."""
    (folder / "sitecustomize.py").write_text(BLOCKER)
    environment = os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}", "MISSING": package}
    done = subprocess.run(
        [sys.executable, "-c", VISIT], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    ("package", "answered", "runtimes", "note"),
    [
        pytest.param(
            "openvino",
            False,
            ["keras-predict", "tensorflow-graph"],
            "not installed on this server: openvino",
            id="openvino",
        ),
        pytest.param("tensorflow", True, ["openvino"], "not installed on this server: tensorflow", id="tensorflow"),
        pytest.param("torch", True, ["keras-predict", "tensorflow-graph", "openvino"], "", id="torch"),
    ],
)
def test_the_rest_works_and_says_what_is_missing(package, answered, runtimes, note, tmp_path):
    said = visit(package, tmp_path)
    assert said["runtimes"] == [runtimes, note]
    assert said["answered"] == answered
    if answered:
        assert "happiness" in said["picture"]
    else:
        assert f"the package {package} is not installed. Calibration and results still work." in said["picture"]
    assert said["again"]
    assert "0.96" in said["results"], "the paper's table stands"
