"""Writes a model's card from its ``metrics.json``, so that no figure on it is typed by hand.

Headings after Mitchell et al., "Model Cards for Model Reporting", 2019.
"""

from __future__ import annotations

from pathlib import Path

from fer_core.builder import architecture
from fer_core.emotions import KDEF_ANGLES
from fer_core.results import PAPER_TABLE_2

_WITH_WEIGHTS = """\
Input: float32 RGB 0-255, `(N, H, W, 3)`, any size; outputs `logits` `(N, 7)` and `features` `(N, h, w, C)`.
Trained at {sizes}; see below where it is good.
`model.keras` (weights stored as {precision}), `model.xml` + `model.bin` (OpenVINO, {precision}), checksums in
`SHA256SUMS`. Softmax at temperature {temperature:.3f}, fitted on validation pictures."""

_WITHOUT_WEIGHTS = """\
No weights are shipped: the figures below come from recorded training runs, at {sizes}. Wherever this model runs in the
app, it runs with random weights, to measure its latency."""


def _accuracy_table(protocols: dict) -> str:
    rows = [
        "| scored on | px | pictures | accuracy | on faces found | loss | F1 macro | F1 micro | F1 weighted "
        "| calibration error | missed | figure |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for figures in protocols.values():
        spread = f" ± {figures['std']['accuracy']:.3f}" if "std" in figures else ""
        numbers = ("accuracy_on_found", "loss", "f1_macro", "f1_micro", "f1_weighted", "calibration_error")
        rows.append(
            f"| {figures['description']} | {figures['resolution']} | {figures['images']:,} "
            f"| **{figures['accuracy']:.3f}**{spread} | "
            + " | ".join(f"{figures[name]:.3f}" for name in numbers)
            + f" | {figures['faces_missed']} | {figures['weights']} |"
        )
    return "\n".join(rows)


def _resolution_table(protocols: dict) -> str:
    sizes = sorted({int(size) for figures in protocols.values() for size in figures["accuracy_by_resolution"]})
    rows = ["| px | " + " | ".join(map(str, sizes)) + " |", "|---" * (len(sizes) + 1) + "|"]
    for name, figures in protocols.items():
        measured = figures["accuracy_by_resolution"]
        values = (f"{measured[str(size)]:.3f}" if str(size) in measured else "" for size in sizes)
        rows.append(f"| {name} | {' | '.join(values)} |")
    return "\n".join(rows)


def _angle_table(protocols: dict) -> str:
    rows = ["| | " + " | ".join(KDEF_ANGLES.values()) + " |", "|---" * (len(KDEF_ANGLES) + 1) + "|"]
    for name, figures in protocols.items():
        if measured := figures.get("by_angle"):
            values = (f"{measured[angle]:.3f}" if angle in measured else "" for angle in KDEF_ANGLES)
            rows.append(f"| {name} | {' | '.join(values)} |")
    return "\n".join(rows)


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} seconds" if seconds < 120 else f"{seconds / 60:.0f} minutes"


def _training(metrics: dict) -> str:
    trained = metrics["trained_with"]
    commands = trained.get("commands") or [trained["command"]]
    lines = ["```", *commands, "```", f"On {trained['hardware']}: {_duration(trained['training_seconds'])}."]
    if trained.get("note"):
        lines.append(trained["note"])
    return "\n".join(lines)


def _repeating(protocols: dict) -> str:
    """Says which figures come from runs, and how each is repeated."""
    lines = []
    for name, figures in protocols.items():
        if figures["weights"] == "run":
            lines.append(f"- `{name}`: `{figures['command']}`")
    return (
        "\n*run*: recorded training runs give the figure, each trained and scored anew by\n" + "\n".join(lines) + "\n"
    )


def _unfinished(metrics: dict) -> str:
    lines = []
    for item in metrics.get("unfinished", []):
        done = ", ".join(f"{run['epochs']} of {run['of']}" for run in item["runs"])
        size = f" at {item['resolution']} px" if item["resolution"] else ""
        lines.append(f"- {item['protocol']}, recipe {item['recipe']}{size}: epochs done by run: {done}")
    return "\nNot finished, and so without a figure:\n\n" + "\n".join(lines) + "\n"


def _against_the_paper(name: str, protocols: dict) -> str:
    paper = PAPER_TABLE_2[name]
    said = (
        f"The paper reports {paper.accuracy:.2f} at {paper.resolution} px on KDEF and does not say that people are "
        "kept apart;\n"
    )
    mixed = protocols.get("kdef-paper-split")
    if mixed is None:
        return said + "that protocol has not been measured with this model."
    return said + (
        f"with people mixed it is {mixed['accuracy']:.3f} here at {mixed['resolution']} px, and "
        f"{max(mixed['accuracy_by_resolution'].values()):.3f} at the best size."
    )


def write_card(folder: Path, metrics: dict) -> None:
    """Writes ``README.md`` of a model's folder.

    Args:
        folder: The model's folder.
        metrics: Contents of its ``metrics.json``, with at least one protocol.

    Raises:
        ValueError: If nothing was measured yet.
    """
    protocols = metrics["protocols"]
    if not protocols:
        raise ValueError(f"a card of {metrics['model']} needs the figures of a protocol, but nothing was measured")
    sizes = metrics["trained_sizes"]
    stored = metrics.get("stored_as", {"precision": "float16"})
    contract = (_WITH_WEIGHTS if stored else _WITHOUT_WEIGHTS).format(
        sizes=f"{min(sizes)} to {max(sizes)} px" if len(sizes) > 1 else f"{sizes[0]} px",
        precision=stored and stored["precision"],
        temperature=metrics["temperature"],
    )
    measured = next(iter(protocols.values()))
    runs = any(figures["weights"] == "run" for figures in protocols.values())
    text = f"""# Model card: {metrics["model"]}

*Written by `python -m train evaluate --write` from `metrics.json`.*

## Model details
{architecture(metrics["model"]).backbone} with seven outputs ({", ".join(metrics["emotions"])}),
after Ghadami & Rezvanian (2024).
{contract}

## Intended use
Demonstrations and teaching of the trade-off between latency and accuracy, on oneself or on people who agreed;
research. The model names the expression of a face, often posed; what a person feels cannot be read from it.

## Prohibited use
Judging people: hiring, grading, policing, health, security, advertising. Inferring emotions at work or in education is
prohibited in the EU (AI Act, Article 5(1)(f)). Anything commercial: the terms of the data below do not allow it.

## Training data and its terms
KDEF (photographs of people who acted emotions, five angles; 60 of its 70 people, of whom a fifth is
held out for the test and 4 more for validation), RAF-DB basic (official training part; 5 % of it for validation), FER+
(training part; vote shares as labels), each where the recipe says so. All three are for research, non-commercial, and
never redistributed: no picture of them is here. KDEF: Karolinska Institutet; RAF-DB: its authors, on request; FER2013:
research, the votes of FER+ under MIT.

## Licence
Weights: research and non-commercial use only, because the data are. Code: Apache-2.0.

## Training recipe and cost
{_training(metrics)}

## Evaluation
Measured {measured["date"]} on {measured["machine"]}, {measured["runtime"]}. KDEF is scored from the photograph: a face
that was not found counts as wrong in accuracy and F1; loss and calibration error are of the faces found. RAF-DB and
FER+ are faces already. *shipped*: these files reproduce the figure (`python -m train evaluate`).
{_repeating(protocols) if runs else ""}
{_accuracy_table(protocols)}

{_against_the_paper(metrics["model"], protocols)}
{_unfinished(metrics) if metrics.get("unfinished") else ""}
Accuracy by resolution:

{_resolution_table(protocols)}

KDEF by angle:

{_angle_table(protocols)}

Confusion matrices, and which people each test held out, are in `metrics.json`.

## What fails
- Profile faces: see the table by angle. Sizes far from the best one, and faces smaller than the input: see the table
  by resolution.
- Glasses, low light, and occlusion (hands, masks, hair): KDEF has none of them, they were not measured, and they are
  known to mislead models like this one.
- Disgust and fear are rare in the pictures from the web, and mistaken for others most often.
- Not measured: skin tone, age, culture. KDEF shows young adults of mostly European looks; expect worse elsewhere, and
  unequal errors between groups.
"""
    temporary = folder / "README.partial"
    temporary.write_text(text)
    temporary.rename(folder / "README.md")
