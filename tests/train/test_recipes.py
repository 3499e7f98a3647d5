"""Recipes: what the paper says, and what does not go together."""

import pytest

from train.augment import TABLE_1
from train.recipes import RECIPES, recipe


@pytest.mark.parametrize("name", list(RECIPES))
def test_recipes_have_at_most_six_sizes_a_stage(name):
    for stage in recipe(name, "bdf-mobilenet" if RECIPES[name].frozen_backbone else "scalable-env2b0").stages:
        assert 1 <= len(stage.sizes) == len(stage.size_weights) <= 6
        assert all(size >= 32 for size in stage.sizes)
    assert "ferplus" not in RECIPES[name].data or RECIPES[name].validation_size


def test_the_paper_is_followed():
    chosen = recipe("paper", "scalable-env2b0", 302)
    (stage,) = chosen.stages
    assert (stage.data, stage.sizes, chosen.validation_size) == ({"kdef": 1}, (302,), 302)
    assert (stage.augmentation, stage.epochs, stage.class_weight_power) == (TABLE_1, 120, 1)
    assert (stage.weight_decay, stage.label_smoothing, stage.teacher_share) == (0, 0, 0)
    assert (chosen.split, chosen.weights) == ("mixed", "imagenet")


@pytest.mark.parametrize(
    ("model", "expected"),
    [("scalable-env2b0", 302), ("scalable-env2s", 94), ("bdf-inceptionv3", 299), ("bdf-mobilenet", 224)],
)
def test_one_size_is_the_papers_unless_given(model, expected):
    assert recipe("paper", model).validation_size == expected


def test_settings_can_be_replaced_in_every_stage():
    stages = recipe("elastic", changes={"epochs": "2", "learning_rate": "1e-4"}).stages
    assert {(stage.epochs, stage.learning_rate) for stage in stages} == {(2, 1e-4)}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(
            {"name": "magic"},
            r"recipe must be one of faces, kdef, all, elastic, paper, baseline, but got 'magic'",
            id="name",
        ),
        pytest.param({"changes": {"learning_rat": "1"}}, r"settings are epochs, .* but got 'learning_rat'", id="key"),
        pytest.param({"changes": {"sizes": "64"}}, "but got 'sizes'", id="no-number"),
        pytest.param({"changes": {"epochs": "1.5"}}, r"epochs must be a number \(int\), but got '1.5'", id="value"),
        pytest.param({"resolution": 302}, "at once and takes no resolution, but got 302 px", id="resolution"),
        pytest.param(
            {"name": "paper", "model": "bdf-inceptionv3", "resolution": 66},
            "at least 75 px, but got 66",
            id="too-small",
        ),
        pytest.param({"name": "baseline", "model": "scalable-env2b0"}, "scalable-env2b0 has none", id="no-frozen"),
        pytest.param({"name": "paper", "model": "resnet"}, "model must be one of", id="model"),
    ],
)
def test_what_does_not_go_together_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        recipe(**{"name": "elastic"} | arguments)
