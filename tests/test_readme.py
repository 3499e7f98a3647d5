"""What the README says: its figures are those of ``metrics.json``, its commands exist."""

import json
import re
import subprocess
import sys

import gradio as gr
import pytest
from PIL import Image

from fer_core import __main__ as command_line
from fer_core.model_files import MODELS_FOLDER, read_metrics
from tabs import api
from tests.conftest import ROOT
from tests.films import write_film
from tests.tabs.test_calibration import uploaded

README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize(("model", "short"), [("scalable-env2b0", "B0"), ("scalable-env2s", "S")])
def test_figures_are_the_measured_ones(model, short):
    protocols = read_metrics(model)["protocols"]
    assert protocols
    for figures in protocols.values():
        row = next(line for line in README.splitlines() if line.startswith(f"| {short} | {figures['description']} |"))
        cells = [cell.strip(" *") for cell in row.strip("|").split("|")]
        sizes = ["64", "100", "128", "224"]
        expected = [f"{figures['accuracy_by_resolution'][size]:.3f}" for size in sizes]
        assert cells[2:] == [f"{figures['images']:,}", *expected]


@pytest.mark.parametrize("model", ["scalable-env2b0", "scalable-env2s", "bdf-mobilenet"])
def test_card_is_written_from_the_metrics(model, tmp_path):
    from train.card import write_card

    write_card(tmp_path, json.loads((MODELS_FOLDER / model / "metrics.json").read_text()))
    assert (tmp_path / "README.md").read_text() == (MODELS_FOLDER / model / "README.md").read_text()


PYTHON = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def example_for_other_programs():
    (code,) = [block for block in PYTHON if "gradio_client" in block]
    return code


def test_the_example_for_other_programs_runs_as_printed(server, astronaut, tmp_path):
    code = example_for_other_programs()
    Image.fromarray(astronaut).save(tmp_path / "face.jpg")
    write_film(tmp_path / "film.mp4", [astronaut] * 5, [0, 40, 80, 120, 160])
    code = code.replace("http://127.0.0.1:7860", server.url)  # the port alone is another one
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^happiness happiness \d+ \d+$", done.stdout, re.MULTILINE)
    assert re.search(r"^scalable-env2b0 \S+ 0\.\d+$", done.stdout, re.MULTILINE)


def test_the_example_calls_every_operation():
    with gr.Blocks() as blocks:
        api.build()
    called = re.findall(r'api_name="(/\w+)"', example_for_other_programs())
    assert sorted(called) == sorted(blocks.get_api_info()["named_endpoints"])


COMMANDS = re.findall(r"^python -m fer_core (.+)$", README, re.MULTILINE)


def test_the_commands_run_as_printed(astronaut, tmp_path, monkeypatch):
    """Calibration of a whole ladder and benchmark take minutes: of these two the arguments alone are read."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(astronaut).save(tmp_path / "face.jpg")
    write_film(tmp_path / "FILM.mp4", [astronaut] * 5, [0, 40, 80, 120, 160])
    (tmp_path / "this-machine.json").write_bytes(uploaded())
    assert {command.split()[0] for command in COMMANDS} == {"recognize", "calibrate", "solve", "video", "benchmark"}
    for command in COMMANDS:
        words = command.replace("PICTURE...", "face.jpg").split()
        if words[0] in ("calibrate", "benchmark"):
            assert command_line._parser().parse_args(words).command == words[0]
        else:
            assert command_line.main(words) == 0, command
    assert (tmp_path / "ANNOTATED.mp4").stat().st_size > 1000
    assert (tmp_path / "EMOTIONS.csv").read_text().count("happiness") > 5


def test_the_example_in_python_runs_as_printed(astronaut, capsys):
    (code,) = [block for block in PYTHON if "fer_core" in block]
    exec(code, {"image": astronaut, "frame": astronaut})
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2, "one face, as a picture and as a frame"
    assert all("happiness" in line for line in lines)


@pytest.mark.parametrize("name", sorted(set(re.findall(r"^make (\w+)", README, re.MULTILINE))))
def test_make_targets_exist(name):
    assert re.search(rf"^{name}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("path", sorted(set(re.findall(r"\]\((?!http)([^)]+)\)", README))))
def test_linked_files_exist(path):
    assert (ROOT / path).is_file()
