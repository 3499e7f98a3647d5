"""The native engine computes what Keras computes: the same logits, and after a step the same weights."""

import dataclasses

import keras
import numpy as np
import pytest

from fer_core.builder import build_model
from tests.train.generated import small_model
from train.augment import Augmentation
from train.batches import EMBEDDING, Batch
from train.recipes import Stage
from train.trainers import KerasTrainer, NativeTrainer, block_dropout, make_trainer

STAGE = Stage(
    data={"a": 1},
    sizes=(32,),
    size_weights=(1,),
    epochs=1,
    learning_rate=1e-3,
    augmentation=Augmentation(),
    dropout=0.0,
    embedding_share=0.3,
)


def make_batch(count: int, side: int) -> Batch:
    rng = np.random.default_rng(side)
    return Batch(
        images=rng.uniform(0, 255, (count, side, side, 3)).astype(np.float32),
        targets=np.eye(7, dtype=np.float32)[rng.integers(0, 7, count)],
        weights=rng.uniform(0.5, 1.5, count).astype(np.float32),
        embeddings=rng.normal(size=(count, EMBEDDING)).astype(np.float32),
        taught=(np.arange(count) % 2).astype(np.float32),
    )


def built(name: str) -> keras.Model:
    keras.utils.set_random_seed(0)
    model = build_model(name)
    for layer in model.layers:
        # Pictures dropped at random would differ between the two.
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    return model


@pytest.mark.parametrize("name", ["scalable-env2b0", "scalable-env2s"])
def test_logits_are_those_of_keras(name):
    model = built(name)
    native = NativeTrainer(model)
    for side in (32, 47, 64):
        images = make_batch(2, side).images
        np.testing.assert_allclose(native.logits(images), np.asarray(model(images)["logits"]), atol=1e-4)


def test_steps_are_those_of_keras():
    # A small network, which Keras compiles in a second: what differs is the loss, the optimizer and normalization.
    keras.utils.set_random_seed(0)
    start = small_model()
    models = [keras.models.clone_model(start) for _ in range(2)]
    for model in models:
        model.set_weights(start.get_weights())
        model.get_layer("dropout").rate = 0.0
    trainers = [KerasTrainer(models[0], True), NativeTrainer(models[1], True)]
    first, second = trainers
    # The guess of the embedding begins at random in each.
    second._network.layers["embedding"].linear.weight.data.zero_()
    second._network.layers["embedding"].linear.bias.data.zero_()
    for variable in first._trained.get_layer("embedding").weights:
        variable.assign(np.zeros(variable.shape))
    losses = []
    for trainer in trainers:
        trainer.begin(STAGE)
        losses.append([trainer.step(make_batch(16, 48), 1e-4)[0] for _ in range(4)])
    assert losses[0] == pytest.approx(losses[1], rel=2e-3)
    assert losses[0][-1] < losses[0][0]
    images = make_batch(8, 64).images
    np.testing.assert_allclose(first.logits(images), second.logits(images), atol=1e-2)


@pytest.mark.parametrize("engine", ["keras", "native"])
def test_stochastic_depth_is_a_factor_on_the_models_own_rates(engine):
    model = build_model("scalable-env2b0")
    own = block_dropout(model)
    assert own["block6h_drop"] == pytest.approx(0.19, abs=0.001), "EfficientNetV2 drops later blocks more often"
    assert "dropout" not in own, "the classifier's has its own setting"
    trainer = make_trainer(engine, model, embedding=False, seed=0)
    layers = model if engine == "keras" else trainer._network.layers
    find = layers.get_layer if engine == "keras" else layers.__getitem__
    for factor in (0.0, 0.5, 1.0):
        trainer.begin(dataclasses.replace(STAGE, embedding_share=0.0, stochastic_depth=factor))
        assert {name: find(name).rate for name in own} == {name: rate * factor for name, rate in own.items()}


def test_the_native_engine_leaves_its_weights_in_the_keras_model():
    model = built("scalable-env2b0")
    native = NativeTrainer(model)
    native.begin(STAGE)
    native.step(make_batch(8, 32), 1e-3)
    native.finish()
    images = make_batch(2, 32).images
    np.testing.assert_allclose(native.logits(images), np.asarray(model(images)["logits"]), atol=1e-4)


def test_a_state_put_back_goes_on_the_same_way():
    native = NativeTrainer(small_model())
    native.begin(dataclasses.replace(STAGE, dropout=0.5))
    native.step(make_batch(8, 32), 1e-3)
    state = native.state()
    expected = native.step(make_batch(8, 48), 1e-3)
    native.load(state)
    assert native.step(make_batch(8, 48), 1e-3) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("engine", "name", "message"),
    [
        pytest.param("magic", "scalable-env2b0", "engine must be one of keras, native, but got 'magic'", id="engine"),
        pytest.param("native", "bdf-mobilenet", r"has no layer '\w+' \(.+\): train with Keras", id="layer"),
    ],
)
def test_what_no_engine_can_do_is_named(engine, name, message):
    with pytest.raises(ValueError, match=message):
        make_trainer(engine, build_model(name), embedding=False, seed=0)
