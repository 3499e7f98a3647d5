"""What the README says: its figures are those of ``metrics.json``, its commands exist."""

import json
import re

import pytest

from fer_core.model_files import MODELS_FOLDER, read_metrics
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text()


def test_figures_are_the_measured_ones():
    protocols = read_metrics("scalable-env2b0")["protocols"]
    assert protocols
    for figures in protocols.values():
        row = next(line for line in README.splitlines() if figures["description"] in line)
        cells = [cell.strip(" *") for cell in row.strip("|").split("|")]
        sizes = ["64", "100", "128", "224"]
        expected = [f"{figures['accuracy_by_resolution'][size]:.3f}" for size in sizes]
        assert cells[1:] == [f"{figures['images']:,}", *expected]


def test_card_is_written_from_the_metrics(tmp_path):
    from train.card import write_card

    write_card(tmp_path, json.loads((MODELS_FOLDER / "scalable-env2b0" / "metrics.json").read_text()))
    assert (tmp_path / "README.md").read_text() == (MODELS_FOLDER / "scalable-env2b0" / "README.md").read_text()


@pytest.mark.parametrize("name", sorted(set(re.findall(r"^make (\w+)", README, re.MULTILINE))))
def test_make_targets_exist(name):
    assert re.search(rf"^{name}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("path", sorted(set(re.findall(r"\]\((?!http)([^)]+)\)", README))))
def test_linked_files_exist(path):
    assert (ROOT / path).is_file()
