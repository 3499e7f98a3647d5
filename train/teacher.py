"""The teacher: MobileFaceNet, trained to tell faces apart, fine-tuned to tell emotions apart.

A network that already knows faces learns emotions from few pictures; its probabilities then serve as soft
labels for the models of the paper (distillation: Hinton, Vinyals & Dean, 2015). It is a means of training,
never shipped. Written for PyTorch alone, because its weights come as an ONNX file.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.metrics import accuracy_score
from tqdm import tqdm

from fer_core.emotions import EMOTIONS

from .augment import Augmentation
from .batches import EMBEDDING, Batches, Part, plain_batches
from .recipes import Stage

SIZE = 112  # what MobileFaceNet was made for, px

STAGE = Stage(
    data={"raf-db": 1, "kdef": 1},
    sizes=(SIZE,),
    size_weights=(1,),
    epochs=5,
    learning_rate=3e-4,
    augmentation=Augmentation(rotation=15, shift=0.08, shear=0.08, zoom=0.12, flip=True, light=0.2, grayscale=0.1),
    batch=32,
    weight_decay=0.02,
    dropout=0.4,
    label_smoothing=0.1,
    class_weight_power=0.25,
)
_HEAD_FACTOR = 10  # the new head learns this many times faster than the body

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Lessons:
    """What the teacher says of n crops.

    Attributes:
        probabilities: float32 ``(n, 7)``, rows sum to 1: soft labels.
        embeddings: float16 ``(n, 128)``, about mean 0 and deviation 1: what it sees in a face.
    """

    probabilities: np.ndarray
    embeddings: np.ndarray

    def write(self, path: Path) -> None:
        """Writes an .npz file to a temporary file, then renames it."""
        partial = path.with_suffix(".partial")
        with partial.open("wb") as file:
            np.savez(file, probabilities=self.probabilities, embeddings=self.embeddings)
        partial.rename(path)

    @classmethod
    def read(cls, path: Path) -> Lessons:
        """Reads a file that ``write`` wrote."""
        with np.load(path, allow_pickle=False) as file:
            return cls(file["probabilities"], file["embeddings"])


def build(onnx_file: Path):
    """Builds MobileFaceNet with a head of batch normalization, dropout and seven logits.

    Args:
        onnx_file: MobileFaceNet, input ``(N, 3, 112, 112)`` scaled to (x - 127.5) / 128, 128-d embedding.

    Returns:
        A ``torch.nn.Sequential`` of body and head.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    import onnx
    import torch
    from onnx2torch import convert

    if not onnx_file.is_file():
        raise FileNotFoundError(f"expected MobileFaceNet as an ONNX file at {onnx_file}, but found nothing")
    graph = onnx.load(onnx_file)
    shape = graph.graph.node[-1].input[1]
    # The last Reshape holds the batch size of the export.
    for node in graph.graph.node:
        if node.op_type == "Constant" and node.output[0] == shape:
            node.attribute[0].t.CopyFrom(onnx.numpy_helper.from_array(np.array([-1, EMBEDDING])))
    for initializer in graph.graph.initializer:
        if initializer.name == shape:
            initializer.CopyFrom(onnx.numpy_helper.from_array(np.array([-1, EMBEDDING]), shape))
    head = torch.nn.Sequential(
        torch.nn.BatchNorm1d(EMBEDDING), torch.nn.Dropout(STAGE.dropout), torch.nn.Linear(EMBEDDING, len(EMOTIONS))
    )
    return torch.nn.Sequential(convert(graph), head).to(memory_format=torch.channels_last)


def _as_input(images: np.ndarray):
    import torch

    return torch.from_numpy((images - 127.5) / 128).permute(0, 3, 1, 2)


def predict(model, part: Part) -> Lessons:
    """Answers for all crops of a part, each averaged over the crop and its mirror image."""
    import torch

    model.eval()
    probabilities, embeddings = [], []
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        for images in plain_batches(part, SIZE):
            inputs = _as_input(images)
            # The first layer of the head normalizes the embedding, so that every number of it counts alike.
            both = [model[1][0](model[0](view).float()) for view in (inputs, inputs.flip(-1))]
            embeddings.append(((both[0] + both[1]) / 2).numpy())
            shares = [torch.softmax(model[1][2](embedding).float(), -1) for embedding in both]
            probabilities.append(((shares[0] + shares[1]) / 2).numpy())
    return Lessons(np.concatenate(probabilities), np.concatenate(embeddings).astype(np.float16))


def fit(onnx_file: Path, parts: dict[str, Part], validation: dict[str, Part], seed: int = 0):
    """Fine-tunes the teacher on the CPU in bfloat16 where the CPU has it.

    Args:
        onnx_file: MobileFaceNet as an ONNX file.
        parts: Training pictures by data set; their targets are the labels.
        validation: Held-out pictures by data set, reported after each epoch.
        seed: Seed of the head's weights and of the batches.

    Returns:
        The fine-tuned model.
    """
    import torch

    torch.manual_seed(seed)
    model = build(onnx_file)
    batches = Batches(STAGE, parts, seed)
    groups = [
        {"params": model[0].parameters(), "lr": STAGE.learning_rate},
        {"params": model[1].parameters(), "lr": STAGE.learning_rate * _HEAD_FACTOR},
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=STAGE.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, [g["lr"] for g in groups], total_steps=batches.steps)
    bar = tqdm(batches.iterate(), total=batches.steps, desc="teacher", unit="step", mininterval=5)
    for step, batch in enumerate(bar, start=1):
        model.train()
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(_as_input(batch.images)).float()
        losses = torch.nn.functional.cross_entropy(logits, torch.from_numpy(batch.targets), reduction="none")
        loss = (losses * torch.from_numpy(batch.weights)).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        bar.set_postfix(loss=f"{loss.item():.3f}", refresh=False)
        if step % batches.steps_per_epoch == 0:
            scores = {
                name: accuracy_score(part.targets.argmax(1), predict(model, part).probabilities.argmax(1))
                for name, part in validation.items()
            }
            log.info("teacher, epoch %d: validation accuracy %s", step // batches.steps_per_epoch, scores)
    return model
