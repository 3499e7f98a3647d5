"""The four architectures keep the model contract."""

import numpy as np
import pytest

from fer_core.builder import ARCHITECTURES, architecture, build_model, check_resolution


@pytest.fixture(scope="module", params=list(ARCHITECTURES))
def model(request):
    return build_model(request.param)


def test_contract(model):
    size = ARCHITECTURES[model.name].smallest_resolution + 32
    images = np.random.default_rng(0).uniform(0, 255, (2, size, size, 3)).astype(np.float32)
    outputs = model.predict(images, verbose=0)
    assert model.input_shape == (None, None, None, 3)
    assert outputs["logits"].shape == (2, 7)
    assert outputs["features"].ndim == 4
    assert outputs["features"].shape[0] == 2
    assert outputs["logits"].dtype == outputs["features"].dtype == np.float32


def test_scaling_stands_in_exactly_one_place(model):
    import keras

    scalings = [
        layer for layer in model.layers if isinstance(layer, keras.layers.Rescaling | keras.layers.Normalization)
    ]
    assert [layer.name for layer in scalings] == ["scale_to_plus_minus_one"]
    scaled = np.asarray(scalings[0](np.array([[0.0, 127.5, 255.0]], np.float32)))
    np.testing.assert_allclose(scaled, [[-1, 0, 1]], atol=1e-6)


def test_only_the_baselines_are_frozen(model):
    trainable = {weight.path for weight in model.trainable_weights}
    if ARCHITECTURES[model.name].trainable_backbone:
        assert len(trainable) > 100
    else:
        assert len(trainable) == 4, "scale and offset of the normalization, kernel and bias of the classifier"


def test_runs_at_its_smallest_resolution(model):
    size = ARCHITECTURES[model.name].smallest_resolution
    assert model.predict(np.zeros((1, size, size, 3), np.float32), verbose=0)["logits"].shape == (1, 7)


def test_weights_of_a_file_are_loaded(tmp_path):
    source = build_model("bdf-mobilenet")
    source.save_weights(tmp_path / "a.weights.h5")
    loaded = build_model("bdf-mobilenet", tmp_path / "a.weights.h5")
    image = np.full((1, 64, 64, 3), 100, np.float32)
    np.testing.assert_allclose(
        loaded.predict(image, verbose=0)["logits"], source.predict(image, verbose=0)["logits"], rtol=1e-5, atol=1e-6
    )


def test_weights_of_another_architecture_are_refused(tmp_path):
    build_model("bdf-mobilenet").save_weights(tmp_path / "a.weights.h5")
    with pytest.raises(ValueError, match=r"a\.weights\.h5 does not hold weights of scalable-env2b0"):
        build_model("scalable-env2b0", tmp_path / "a.weights.h5")


def test_missing_weights_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no missing\.weights\.h5"):
        build_model("scalable-env2b0", tmp_path / "missing.weights.h5")


def test_unreachable_imagenet_weights_name_the_options(monkeypatch):
    import keras

    def refuse(*arguments, **options):
        raise Exception("URL fetch failure: no route to host")

    monkeypatch.setattr(keras.utils, "get_file", refuse)
    monkeypatch.setattr("keras.src.utils.file_utils.get_file", refuse)
    with pytest.raises(ConnectionError, match=r"The options are: .*weights='PATH\.weights\.h5'.*weights=None"):
        build_model("scalable-env2b0", "imagenet")


def test_unknown_names_list_the_known_ones():
    with pytest.raises(ValueError, match=r"must be one of scalable-env2b0, .*but got 'resnet'"):
        architecture("resnet")


@pytest.mark.parametrize(
    ("name", "resolution"),
    [
        pytest.param("bdf-inceptionv3", 66, id="inception-66"),
        pytest.param("bdf-mobilenet", 12, id="mobilenet-12"),
        pytest.param("scalable-env2b0", 0, id="env2b0-0"),
    ],
)
def test_too_small_resolutions_are_refused(name, resolution):
    with pytest.raises(ValueError, match=f"{name} needs a resolution of at least .* but got {resolution} px"):
        check_resolution(name, resolution)
