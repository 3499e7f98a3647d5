"""The weights and the networks are facenet-pytorch's."""

import pickle

import numpy as np
import pytest

from fer_core.mtcnn_networks import Network, read_weights, weights_folder


@pytest.fixture(scope="module")
def facenet():
    from facenet_pytorch import MTCNN

    return MTCNN(device="cpu")


@pytest.mark.parametrize("name", ["pnet", "rnet", "onet"])
def test_weights_are_read_as_pytorch_reads_them(name, facenet):
    weights = read_weights(weights_folder() / f"{name}.pt")
    expected = getattr(facenet, name).state_dict()
    assert set(weights) == set(expected)
    for layer, values in weights.items():
        np.testing.assert_array_equal(values, expected[layer].numpy(), strict=True)


def test_other_pickles_are_refused(tmp_path):
    path = tmp_path / "evil.pt"
    with path.open("wb") as file:
        for part in (0, 0, 0, print):
            pickle.dump(part, file)
    with pytest.raises(pickle.UnpicklingError, match=r"expected float32 tensors only, but found builtins\.print"):
        read_weights(path)


@pytest.mark.parametrize(
    ("name", "side", "shape"),
    [
        pytest.param("pnet", None, (1, 109, 193, 3), id="pnet-odd"),
        pytest.param("pnet", None, (1, 12, 22, 3), id="pnet-least"),
        pytest.param("pnet", 40, (3, 40, 40, 3), id="pnet-windows"),
        pytest.param("rnet", 24, (1, 24, 24, 3), id="rnet-one"),
        pytest.param("rnet", 24, (6, 24, 24, 3), id="rnet-six"),
        pytest.param("onet", 48, (9, 48, 48, 3), id="onet-nine"),
    ],
)
def test_networks_agree(name, side, shape, facenet):
    import torch

    images = np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32)
    with torch.no_grad():
        outputs = getattr(facenet, name)(torch.tensor((images - 127.5) * 0.0078125).permute(0, 3, 1, 2))
    # The color axis comes second in PyTorch.
    expected_offsets, expected_scores = (np.moveaxis(output.numpy(), 1, -1) for output in (outputs[0], outputs[-1]))
    scores, offsets = Network(name, side)(images)
    np.testing.assert_allclose(scores, expected_scores[..., 1], atol=1e-5)
    np.testing.assert_allclose(offsets, expected_offsets, atol=1e-5)
