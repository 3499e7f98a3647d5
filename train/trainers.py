"""What the training loop drives: one step, logits, and a state to save; by Keras on any backend, or natively.

``KerasTrainer`` runs on TensorFlow, JAX and PyTorch alike. ``NativeTrainer`` runs the same graph as plain PyTorch on
the CPU, where it is 1.5 times as fast; the weights end in the same Keras model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from . import devices
from .batches import EMBEDDING, Batch
from .recipes import Stage

if TYPE_CHECKING:
    import keras

_NOT_DECAYED = ("bias", "gamma", "beta")


class Trainer(Protocol):
    """One model under training."""

    def begin(self, stage: Stage) -> None:
        """Starts a stage with a fresh optimizer."""

    def step(self, batch: Batch, learning_rate: float) -> tuple[float, float]:
        """Takes one step; returns the batch's loss and its share of right answers."""

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Returns logits, float32 ``(N, 7)``, of float32 RGB 0-255 ``(N, r, r, 3)``, as in serving."""

    def state(self) -> dict[str, np.ndarray]:
        """Returns all that training changes: weights, random states, and the optimizer's own, by name."""

    def load(self, state: dict[str, np.ndarray]) -> None:
        """Puts a state back that ``state`` of the same model and stage returned."""

    def finish(self) -> None:
        """Leaves the trained weights in the Keras model."""


def block_dropout(model: keras.Model) -> dict[str, float]:
    """Returns the rates at which a model drops whole blocks (stochastic depth), by the name of the layer."""
    layers = [layer for layer in model.layers if getattr(layer, "noise_shape", None) is not None]
    return {layer.name: layer.rate for layer in layers}


def _with_heads(model: keras.Model, embedding: bool) -> keras.Model:
    """Returns the logits by name, and beside them, where asked for, a guess of the teacher's embedding."""
    import keras

    outputs = {"logits": model.output["logits"]}
    if embedding:
        pooled = model.get_layer("pool").output
        outputs["embedding"] = keras.layers.Dense(EMBEDDING, name="embedding")(pooled)
    return keras.Model(model.input, outputs, name=model.name)


class KerasTrainer:
    """Keras 3 on whichever backend it runs.

    Args:
        model: A model of ``builder.build_model``; trained in place.
        embedding: Whether any stage learns from the teacher's embeddings.
    """

    def __init__(self, model: keras.Model, embedding: bool = False) -> None:
        self._model = model
        self._trained = _with_heads(model, embedding)
        self._embedding = embedding
        self._depth = block_dropout(model)

    def begin(self, stage: Stage) -> None:
        import keras

        devices.check_batch(stage.batch)
        self._model.get_layer("dropout").rate = stage.dropout
        for name, rate in self._depth.items():
            self._model.get_layer(name).rate = rate * stage.stochastic_depth
        optimizer = keras.optimizers.AdamW(stage.learning_rate, weight_decay=stage.weight_decay)
        optimizer.exclude_from_weight_decay(var_names=list(_NOT_DECAYED))
        optimizer.build(self._trained.trainable_variables)
        losses = {"logits": keras.losses.CategoricalCrossentropy(from_logits=True)}
        shares = {"logits": 1.0}
        if self._embedding:
            losses["embedding"], shares["embedding"] = keras.losses.MeanSquaredError(), stage.embedding_share
        self._trained.compile(
            optimizer=optimizer,
            loss=losses,
            loss_weights=shares,
            weighted_metrics=[],  # accuracy counts pictures, whatever their class weighs
            metrics={"logits": ["accuracy"]},
        )

    def step(self, batch: Batch, learning_rate: float) -> tuple[float, float]:
        self._trained.optimizer.learning_rate.assign(learning_rate)
        targets, weights = {"logits": batch.targets}, {"logits": batch.weights}
        if self._embedding:
            targets["embedding"], weights["embedding"] = batch.embeddings, batch.taught
        logs = self._trained.train_on_batch(batch.images, targets, weights, return_dict=True)
        return float(logs["loss"]), float(logs.get("logits_accuracy", logs.get("accuracy")))

    def logits(self, images: np.ndarray) -> np.ndarray:
        return np.asarray(self._trained.predict_on_batch(images)["logits"])

    def _variables(self) -> list:
        trained = self._trained
        return [*trained.trainable_variables, *trained.non_trainable_variables, *trained.optimizer.variables]

    def state(self) -> dict[str, np.ndarray]:
        from keras import ops

        return {f"v{index}": ops.convert_to_numpy(value) for index, value in enumerate(self._variables())}

    def load(self, state: dict[str, np.ndarray]) -> None:
        for index, variable in enumerate(self._variables()):
            variable.assign(state[f"v{index}"])

    def finish(self) -> None:
        pass  # the layers are the model's own


class NativeTrainer:
    """The same graph as plain PyTorch on the CPU.

    Args:
        model: A model of ``builder.build_model``; it gets the trained weights at the end.
        embedding: Whether any stage learns from the teacher's embeddings.
        seed: Seed of dropout.
    """

    def __init__(self, model: keras.Model, embedding: bool = False, seed: int = 0) -> None:
        import torch

        from .native import NativeNetwork

        torch.manual_seed(seed)
        self._keras = _with_heads(model, embedding)
        self._network = NativeNetwork(self._keras)
        self._embedding = embedding
        self._depth = block_dropout(model)

    def begin(self, stage: Stage) -> None:
        import torch

        self._stage = stage
        self._network.set_dropout("dropout", stage.dropout)
        for name, rate in self._depth.items():
            self._network.set_dropout(name, rate * stage.stochastic_depth)
        decayed = [p for p in self._network.parameters() if p.ndim > 1]
        others = [p for p in self._network.parameters() if p.ndim == 1]  # biases and normalization
        groups = [{"params": decayed, "weight_decay": stage.weight_decay}, {"params": others, "weight_decay": 0.0}]
        self._optimizer = torch.optim.AdamW(groups, lr=stage.learning_rate, eps=1e-7, fused=True)
        for parameter in self._network.parameters():
            # As the first step would: a state that is there from the start has the same names in every checkpoint.
            zeros = torch.zeros_like(parameter)
            self._optimizer.state[parameter] = {
                "step": torch.tensor(0.0),
                "exp_avg": zeros,
                "exp_avg_sq": zeros.clone(),
            }

    def step(self, batch: Batch, learning_rate: float) -> tuple[float, float]:
        import torch
        from torch.nn import functional

        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate
        self._network.train()
        outputs = self._network(torch.from_numpy(batch.images))
        targets = torch.from_numpy(batch.targets)
        losses = functional.cross_entropy(outputs["logits"], targets, reduction="none")
        loss = (losses * torch.from_numpy(batch.weights)).mean()
        if self._embedding and self._stage.embedding_share:
            errors = (outputs["embedding"] - torch.from_numpy(batch.embeddings)).square().mean(1)
            loss = loss + self._stage.embedding_share * (errors * torch.from_numpy(batch.taught)).mean()
        self._optimizer.zero_grad()
        loss.backward()
        self._optimizer.step()
        hits = (outputs["logits"].argmax(1) == targets.argmax(1)).float().mean()
        return loss.item(), hits.item()

    def logits(self, images: np.ndarray) -> np.ndarray:
        import torch

        self._network.eval()
        with torch.inference_mode():
            return self._network(torch.from_numpy(images))["logits"].numpy()

    def _tensors(self) -> dict:
        named = {f"network/{name}": tensor for name, tensor in self._network.state_dict().items()}
        for name, parameter in self._network.named_parameters():
            named |= {f"optimizer/{name}/{key}": value for key, value in self._optimizer.state[parameter].items()}
        return named

    def state(self) -> dict[str, np.ndarray]:
        import torch

        arrays = {name: tensor.detach().numpy().copy() for name, tensor in self._tensors().items()}
        return arrays | {"random": torch.get_rng_state().numpy()}

    def load(self, state: dict[str, np.ndarray]) -> None:
        import torch

        with torch.no_grad():
            for name, tensor in self._tensors().items():
                tensor.copy_(torch.from_numpy(state[name]))
        torch.set_rng_state(torch.from_numpy(state["random"]))

    def finish(self) -> None:
        self._network.write_to(self._keras)


ENGINES = ("keras", "native")


def make_trainer(engine: str, model: keras.Model, embedding: bool, seed: int) -> Trainer:
    """Returns a trainer by name.

    Raises:
        ValueError: If there is no such engine, or it does not know the model's layers.
    """
    if engine == "keras":
        return KerasTrainer(model, embedding)
    if engine == "native":
        return NativeTrainer(model, embedding, seed)
    raise ValueError(f"engine must be one of {', '.join(ENGINES)}, but got {engine!r}")
