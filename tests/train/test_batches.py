"""Batches: reproducible, resumable, balanced as asked."""

import dataclasses

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from fer_core.emotions import EMOTIONS
from tests.train.generated import make_crops
from train.augment import Augmentation
from train.batches import Batches, class_weights, part_of, plain_batches
from train.recipes import Stage

STAGE = Stage(
    data={"a": 1, "b": 0.5},
    sizes=(16, 24),
    size_weights=(1, 1),
    epochs=2,
    learning_rate=1e-3,
    augmentation=Augmentation(rotation=10, flip=True),
    batch=8,
)


@pytest.fixture
def parts():
    return {name: part_of(make_crops(name, 40), np.arange(40)) for name in "ab"}


def test_an_epoch_has_the_copies_asked_for(parts):
    batches = Batches(STAGE, parts, seed=0)
    assert batches.steps_per_epoch == (40 + 20) // 8
    rows = batches._epoch_order(0)
    assert np.bincount(rows[:, 0]).tolist() == [40, 20]
    assert len({tuple(row) for row in rows}) == 60, "no picture twice"


def test_resuming_gives_the_same_batches(parts):
    whole = list(Batches(STAGE, parts, seed=3).iterate())
    rest = list(Batches(STAGE, parts, seed=3).iterate(first_step=9))
    assert len(whole) == Batches(STAGE, parts, seed=3).steps == 14
    for first, again in zip(whole[9:], rest, strict=True):
        np.testing.assert_array_equal(first.images, again.images)
        np.testing.assert_array_equal(first.targets, again.targets)
    other = next(iter(Batches(STAGE, parts, seed=4).iterate()))
    assert other.images.shape != whole[0].images.shape or (other.images != whole[0].images).any()


def test_contract_of_a_batch(parts):
    for batch in Batches(STAGE, parts, seed=0).iterate():
        assert batch.images.shape[1] in STAGE.sizes
        assert batch.images.dtype == batch.targets.dtype == batch.weights.dtype == np.float32
        assert batch.images.max() > 1, "0-255: the scaling is the model's"
        np.testing.assert_allclose(batch.targets.sum(axis=1), 1, rtol=1e-5)


def test_a_large_size_takes_fewer_pictures(parts):
    stage = dataclasses.replace(
        STAGE, sizes=(16, 20, 64), size_weights=(1, 1, 1), full_batch_up_to=16, batch=20, epochs=6
    )
    counts = {batch.images.shape[1]: len(batch.images) for batch in Batches(stage, parts, seed=0).iterate()}
    assert counts == {16: 20, 20: 13, 64: 8}, "as many pixels a step, but never under 8 pictures"


def test_balanced_weights_are_scikit_learns():
    labels = np.repeat(np.arange(7), [5, 1, 2, 30, 8, 3, 11])
    expected = compute_class_weight("balanced", classes=np.arange(7), y=labels)
    np.testing.assert_allclose(class_weights(np.eye(7)[labels], power=1), expected, rtol=1e-6)
    np.testing.assert_array_equal(class_weights(np.eye(7)[labels], power=0), np.ones(7))
    assert class_weights(np.eye(7)[[0, 0, 1]], power=1)[6] == 1, "a class without pictures"


def test_pictures_without_a_face_are_left_out():
    crops = make_crops("a", 10)
    crops.found[[2, 5]] = False
    part = part_of(crops, np.arange(6))
    assert part.indices.tolist() == [0, 1, 3, 4]
    assert sum(len(images) for images in plain_batches(part, 16)) == 4


def test_soft_labels_are_mixed_in():
    crops = make_crops("a", 4)
    soft = np.full((4, 7), 1 / 7, np.float32)
    part = part_of(crops, np.arange(4), soft, share=0.5)
    labels = [EMOTIONS.index(picture.emotion) for picture in crops.pictures]
    np.testing.assert_allclose(part.targets, 0.5 * np.eye(7)[labels] + 0.5 / 7, rtol=1e-6)


def test_missing_data_is_named(parts):
    with pytest.raises(ValueError, match=r"needs the data sets \['a', 'b'\], but \['b'\] are missing"):
        Batches(STAGE, {"a": parts["a"]}, seed=0)


def test_too_few_pictures_are_named():
    with pytest.raises(ValueError, match="at least one batch of 8 pictures, but got 6"):
        Batches(STAGE, {name: part_of(make_crops(name, 4), np.arange(4)) for name in "ab"}, seed=0)
