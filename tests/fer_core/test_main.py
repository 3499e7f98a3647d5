"""Command line: ``python -m fer_core recognize``."""

import json
import subprocess
import sys

import pytest
from PIL import Image


def recognize(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "fer_core", "recognize", *map(str, arguments)], capture_output=True, text=True
    )


@pytest.fixture(scope="module")
def astronaut_file(tmp_path_factory, astronaut):
    path = tmp_path_factory.mktemp("pictures") / "astronaut.png"
    Image.fromarray(astronaut).save(path)
    return path


def test_json(astronaut_file):
    done = recognize(astronaut_file, "--json")
    assert done.returncode == 0, done.stderr
    (record,) = json.loads(done.stdout)
    assert record["schema_version"] == 1
    assert record["image"] == str(astronaut_file)
    assert (record["width"], record["height"], record["error"]) == (512, 512, None)
    assert set(record["timings_ms"]) == {"detect", "crop", "classify", "total"}
    (face,) = record["faces"]
    assert face["emotion"] == "happiness"
    assert face["confidence"] == face["probabilities"]["happiness"]
    assert len(face["box"]) == 4


def test_lines(astronaut_file):
    done = recognize(astronaut_file, "--resolution", 64)
    assert done.returncode == 0, done.stderr
    assert "1 face," in done.stdout
    assert "happiness" in done.stdout


def test_a_failing_picture_does_not_stop_the_others(astronaut_file, tmp_path):
    text = tmp_path / "text.jpg"
    text.write_text("not a picture")
    done = recognize(text, tmp_path / "missing.jpg", astronaut_file, "--json")
    records = json.loads(done.stdout)
    assert done.returncode == 2
    assert "none of these" in records[0]["error"]
    assert "No such file" in records[1]["error"]
    assert records[2]["error"] is None
    assert len(records[2]["faces"]) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["--model", "resnet"], "model must be one of", id="model"),
        pytest.param(["--runtime", "tvm"], "runtime must be one of", id="runtime"),
        pytest.param(["--resolution", "-3"], "at least 1 px, but got -3", id="resolution"),
        pytest.param(["--model", "bdf-mobilenet"], "has no weights here", id="untrained"),
    ],
)
def test_unusable_options_are_one_line_and_status_2(astronaut_file, arguments, message):
    done = recognize(astronaut_file, *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
