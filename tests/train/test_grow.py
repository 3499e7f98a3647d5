"""A network that was grown computes what the small one computes."""

import keras
import numpy as np
import pytest

from fer_core.builder import build_model
from train.grow import _shares, copied_channels, grow, grow_file


@pytest.fixture(scope="module")
def pair() -> tuple[keras.Model, keras.Model]:
    keras.utils.set_random_seed(0)
    small, large = build_model("scalable-env2b0"), build_model("scalable-env2s")
    rng = np.random.default_rng(0)
    for layer in small.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            # As after a training: fresh statistics are the same for all channels, which would hide a mix-up.
            for variable in layer.weights:
                variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    grow(small, large)
    return small, large


def from_the_second_stage(model: keras.Model) -> keras.Model:
    return keras.Model(model.get_layer("block2a_expand_conv").input, model.output)


def test_from_the_second_stage_on_both_compute_the_same(pair):
    small, large = map(from_the_second_stage, pair)
    x = np.random.default_rng(1).normal(size=(2, 16, 16, 16)).astype(np.float32)
    expected = small(x)
    got = large(x[..., copied_channels(16, 24)])
    for name in ("logits", "features"):
        scale = np.abs(np.asarray(expected[name])).max()
        np.testing.assert_allclose(np.asarray(got[name]) / scale, np.asarray(expected[name]) / scale, atol=1e-4)


def test_copies_of_a_channel_do_not_stay_copies(pair):
    _, large = pair
    kernel = np.asarray(large.get_layer("block2b_expand_conv").kernel)
    assert np.array_equal(copied_channels(32, 48)[32:], np.arange(16))
    assert not np.allclose(kernel[:, :, 0], kernel[:, :, 32])


def test_shares_of_a_channels_copies_sum_to_one():
    copies = copied_channels(3, 7)
    shares = _shares(copies, 5, np.random.default_rng(0))
    sums = [shares[copies == channel].sum(axis=0) for channel in range(3)]
    np.testing.assert_allclose(sums, np.ones((3, 5)))


def test_a_grown_file_is_a_beginning_of_the_large_model(pair, tmp_path):
    small, large = pair
    small.save_weights(tmp_path / "small.weights.h5")
    target = grow_file(
        "scalable-env2b0", tmp_path / "small.weights.h5", "scalable-env2s", tmp_path / "run" / "begin.weights.h5", 0
    )
    grown = build_model("scalable-env2s", target)
    kernel = grown.get_layer("top_conv").kernel
    np.testing.assert_allclose(np.asarray(kernel), np.asarray(large.get_layer("top_conv").kernel))
    assert [path.name for path in target.parent.iterdir()] == ["begin.weights.h5"]
