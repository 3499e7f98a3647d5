"""Writes a model's card from its ``metrics.json``, so that no figure on it is typed by hand.

Headings after Mitchell et al., "Model Cards for Model Reporting", 2019.
"""

from __future__ import annotations

from pathlib import Path

from fer_core.emotions import KDEF_ANGLES
from fer_core.results import PAPER_TABLE_2


def _accuracy_table(protocols: dict) -> str:
    rows = [
        "| scored on | pictures | accuracy | loss | F1 macro | F1 weighted | calibration error | missed | figure |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for figures in protocols.values():
        rows.append(
            f"| {figures['description']} | {figures['images']:,} | **{figures['accuracy']:.3f}** | "
            f"{figures['loss']:.3f} | {figures['f1_macro']:.3f} | {figures['f1_weighted']:.3f} | "
            f"{figures['calibration_error']:.3f} | {figures['faces_missed']} | {figures['weights']} |"
        )
    return "\n".join(rows)


def _resolution_table(protocols: dict) -> str:
    sizes = list(next(iter(protocols.values()))["accuracy_by_resolution"])
    rows = ["| px | " + " | ".join(sizes) + " |", "|---" * (len(sizes) + 1) + "|"]
    for name, figures in protocols.items():
        values = " | ".join(f"{figures['accuracy_by_resolution'][size]:.3f}" for size in sizes)
        rows.append(f"| {name} | {values} |")
    return "\n".join(rows)


def _angle_table(protocols: dict) -> str:
    rows = ["| " + " | ".join(KDEF_ANGLES.values()) + " |", "|---" * len(KDEF_ANGLES) + "|"]
    for figures in protocols.values():
        if "by_angle" in figures:
            rows.append("| " + " | ".join(f"{figures['by_angle'][angle]:.3f}" for angle in KDEF_ANGLES) + " |")
    return "\n".join(rows)


def write_card(folder: Path, metrics: dict) -> None:
    """Writes ``README.md`` of a model's folder.

    Args:
        folder: The model's folder.
        metrics: Contents of its ``metrics.json``, with at least one protocol.
    """
    trained = metrics["trained_with"]
    protocols = metrics["protocols"]
    sizes = sorted(metrics["trained_sizes"])
    measured = next(iter(protocols.values()))
    paper = PAPER_TABLE_2[metrics["model"]]
    text = f"""# Model card: {metrics["model"]}

*Written by `python -m train evaluate --write` from `metrics.json`.*

## Model details
{trained["architecture"]} with seven outputs ({", ".join(metrics["emotions"])}),
after Ghadami & Rezvanian (2024).
Input: float32 RGB 0-255, `(N, H, W, 3)`, any size; outputs `logits` `(N, 7)` and `features` `(N, h, w, C)`.
One set of weights, trained at {sizes[0]} to {sizes[-1]} px; see below where it is good.
`model.keras` (weights stored as float16), `model.xml` + `model.bin` (OpenVINO, float16), checksums in `SHA256SUMS`.
Softmax at temperature {metrics["temperature"]:.3f}, fitted on validation pictures.

## Intended use
Demonstrations and teaching of the trade-off between latency and accuracy, on oneself or on people who agreed;
research. **Not** for judging people: not for hiring, grading, policing, health, or security. Inferring emotions at work
or in education is prohibited in the EU (AI Act, Article 5(1)(f)). The model names the expression of a face, often
posed; what a person feels cannot be read from it.

## Licence
Weights: research and non-commercial use only, because KDEF, RAF-DB and FER2013 are. Code: Apache-2.0.

## Training data
KDEF (photographs of people who acted emotions, five angles; 44 of 60 people, 4 more for validation), RAF-DB basic
(official training split; 5 % for validation), FER+ (training part; vote shares as labels). None of it is
redistributed here.

## Training procedure
`{trained["command"]}`, seed {trained["seed"]}, on {trained["hardware"]}:
{trained["training_seconds"] / 60:.0f} minutes. {trained["note"]}

## Evaluation
Measured {measured["date"]} on {measured["machine"]}, {measured["runtime"]}, {measured["resolution"]} px. KDEF is
scored from the photograph, and a face that was not found counts as wrong in accuracy and F1; loss and calibration
error are of the faces found. RAF-DB and FER+ are faces already. *shipped*: these files reproduce the figure
(`python -m train evaluate`).

{_accuracy_table(protocols)}

The paper reports {paper.accuracy:.2f} at {paper.resolution} px on KDEF and does not say that people are kept apart;
that protocol has not been measured with these weights.

Accuracy by resolution:

{_resolution_table(protocols)}

KDEF, people never seen, by angle:

{_angle_table(protocols)}

## What fails
- Sizes far from the best one, faces smaller than the input, and turned heads: see the tables.
- Disgust and fear are rare in the pictures from the web, and mistaken for others most often (see the confusion
  matrices in `metrics.json`).
- Not measured: glasses, low light, occlusion, skin tone, age, culture. KDEF shows young adults of mostly European
  looks; expect worse elsewhere, and unequal errors between groups.
"""
    temporary = folder / "README.partial"
    temporary.write_text(text)
    temporary.rename(folder / "README.md")
