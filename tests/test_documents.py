"""What the documents say exists, is still so, and agrees with the code."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sysconfig
import tomllib
from functools import cache
from pathlib import Path

import pytest
import yaml

from fer_core.calibration_files import LARGEST_FILE
from fer_core.pictures import LARGEST_FILE_MB, LARGEST_MEGAPIXELS
from tabs.front_door import LARGEST_UPLOAD_MB
from tabs.video_job import LIMITS
from tests.conftest import ROOT

DOCUMENTS = ("CHANGELOG.md", "CONTRIBUTING.md", "PRIVACY.md", "SECURITY.md")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
UNTESTED = "not tested yet"


def text(name: str) -> str:
    return (ROOT / name).read_text()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_linked_files_exist(name):
    for link in re.findall(r"\]\((?!http)([^)#]+)", text(name)):
        assert (ROOT / link).is_file(), link


@pytest.mark.parametrize("name", DOCUMENTS)
def test_named_commands_exist(name):
    makefile = text("Makefile")
    for target in re.findall(r"^make (\w+)", text(name), re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for module, commands in re.findall(r"`python -m (fer_core|train) ([\w |\n]+)", text(name)):
        known = text(f"{module}/__main__.py").splitlines()[0]
        for command in re.findall(r"\w+", commands):
            assert command in known, f"{module} {command}"


# --- SECURITY.md and PRIVACY.md

PROMISES = [
    tuple(cell.strip() for cell in line.strip("|").split("|"))
    for line in text("SECURITY.md").splitlines()
    if line.startswith("| ") and "**" not in line and not line.startswith("| promise")
]


@cache
def functions_of(path: Path) -> set[str]:
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize(("promise", "tested_by"), PROMISES, ids=[promise for promise, _ in PROMISES])
def test_each_promise_names_its_tests_or_admits_to_none(promise, tested_by):
    if tested_by == UNTESTED:
        return
    named = re.findall(r"`([^`]+)::(test_\w+)`", tested_by)
    assert named, tested_by
    assert re.sub(r"`[^`]+`", "", tested_by).strip(" ,") == "", "nothing but tests"
    for path, test in named:
        assert (ROOT / path).is_file(), path
        assert test in functions_of(ROOT / path), f"{path}::{test}"


def test_most_promises_are_tested():
    assert len(PROMISES) > 20
    assert sum(tested_by == UNTESTED for _, tested_by in PROMISES) < len(PROMISES) / 2


@pytest.mark.parametrize(
    "limit",
    [
        pytest.param(f"Pictures: at most {LARGEST_FILE_MB} MB and {LARGEST_MEGAPIXELS} megapixels", id="pictures"),
        pytest.param(
            f"at most {LIMITS.megabytes} MB, {LIMITS.seconds} s, {LIMITS.frames:,} frames and {LIMITS.side:,} px",
            id="videos",
        ),
        pytest.param(f"Calibration files: at most {LARGEST_FILE / 1e6:g} MB", id="calibrations"),
        pytest.param(f"An upload over {LARGEST_UPLOAD_MB} MB", id="uploads"),
    ],
)
def test_limits_are_those_of_the_code(limit):
    assert limit in text("SECURITY.md")


def test_uploads_are_deleted_as_fast_as_is_said():
    every, age = map(int, re.search(r"delete_cache=\((\d+), (\d+)\)", text("app.py")).groups())
    assert every + age <= 120
    assert "deleted within two minutes" in text("PRIVACY.md")


def test_the_page_to_hand_out_is_one_page():
    assert len(text("PRIVACY.md").split()) < 650


# --- CITATION.cff, CHANGELOG.md


def test_the_citation_is_the_papers_and_this_versions():
    citation = yaml.safe_load(text("CITATION.cff"))
    assert {"cff-version", "message", "title", "authors"} <= citation.keys(), "what the format requires"
    assert citation["version"] == PROJECT["version"]
    paper = citation["preferred-citation"]
    assert [author["family-names"] for author in paper["authors"]] == ["Ghadami", "Rezvanian"]
    assert {key: paper[key] for key in ("journal", "volume", "issue", "start", "end", "year", "doi")} == {
        "journal": "International Journal of Web Research",
        "volume": 7,
        "issue": 4,
        "start": 39,
        "end": 49,
        "year": 2024,
        "doi": "10.22133/ijwr.2024.459595.1224",
    }
    readme = " ".join(text("README.md").split())
    assert paper["title"] in readme
    assert paper["doi"] in readme


def test_the_changelog_ends_with_this_version():
    heads = re.findall(r"^## \[(.+?)\](?: - (\d{4}-\d\d-\d\d))?$", text("CHANGELOG.md"), re.MULTILINE)
    released = [(version, date) for version, date in heads if version != "Unreleased"]
    assert heads[0] == ("Unreleased", "")
    assert released[0][0] == PROJECT["version"]
    assert all(date for _, date in released)
    assert released[0][1] == yaml.safe_load(text("CITATION.cff"))["date-released"]


# --- Dockerfile

INSTRUCTIONS = re.findall(
    r"^([A-Z]+) (.+)$",
    re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", text("Dockerfile"), flags=re.MULTILINE)),
    re.MULTILINE,
)


def arguments(instruction: str) -> list[str]:
    return [found for name, found in INSTRUCTIONS if name == instruction]


def test_the_dockerfile_passes_its_linter():
    linter = shutil.which("hadolint", path=sysconfig.get_path("scripts")) or shutil.which("hadolint")
    if linter is None:
        pytest.skip("needs hadolint, which requirements-dev.txt installs, but not on Windows")
    done = subprocess.run([linter, ROOT / "Dockerfile"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout


def test_the_image_is_of_our_python_and_serves_without_rights():
    (base,) = arguments("FROM")
    version = re.fullmatch(r"python:(\d+\.\d+)-slim", base)[1]
    assert PROJECT["requires-python"] == f">={version}"
    names = [name for name, _ in INSTRUCTIONS]
    assert names.index("USER") > max(at for at, name in enumerate(names) if name in ("RUN", "COPY"))
    assert arguments("USER") == ["1000"]
    assert arguments("EXPOSE") == ["7860"]
    assert "GRADIO_SERVER_PORT=7860" in arguments("ENV")[0]
    (check,) = arguments("HEALTHCHECK")
    assert "http://127.0.0.1:7860/" in check
    ast.parse(json.loads(check.partition("CMD ")[2])[2])
    assert json.loads(arguments("CMD")[0]) == ["python", "app.py"]


def imports_of(path: Path) -> set[str]:
    """Returns what a file imports by its full name, in functions as well."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return plain | {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.level == 0}


def test_the_image_gets_all_that_the_app_imports_and_nothing_else():
    copied = {line.split()[0] for line in arguments("COPY")}
    kept = {line[1:] for line in text(".dockerignore").splitlines() if line.startswith("!")}
    assert text(".dockerignore").splitlines()[1] == "*"
    assert copied == kept
    assert all((ROOT / name).exists() for name in copied)
    sources = [path for name in copied for path in [ROOT / name, *(ROOT / name).rglob("*.py")] if path.suffix == ".py"]
    imported = {name.partition(".")[0] for path in sources for name in imports_of(path)}
    ours = {path.name for path in ROOT.iterdir() if path.is_dir()} | {path.stem for path in ROOT.glob("*.py")}
    assert {"fer_core", "tabs"} <= imported & ours <= {Path(name).stem for name in copied}
