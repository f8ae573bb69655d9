"""Every baseline as the encoder of a recipe, and what does not fit together."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from ann_baselines import (
    ClassTokenConfig,
    FrameCnnConfig,
    FrameSequenceConfig,
    FusionConfig,
    I3dConfig,
    LstmConfig,
    PerFrameConfig,
    ResNet18Config,
    TransformerConfig,
    VitConfig,
)
from snnface.app.catalog import model_of
from snnface.app.recipes import BranchConfig, Recipe, recipe_named
from snnface.config import from_json, to_json
from snnface.errors import ConfigError
from snnface.events import Resolution
from snnface.models.heads import ClipStepsHeadConfig, MlpHeadConfig
from snnface.representations import HistogramConfig

NUM_STEPS, NUM_UNITS, NUM_COEFFICIENTS = 4, 8, 16
CNN = FrameCnnConfig(channels=(4,), features=6)
RESNET = ResNet18Config(width=4, features=8)
TOKEN = ClassTokenConfig(width=8, num_heads=2, num_layers=1, hidden=8)
HEAD = MlpHeadConfig(hidden=(8,))
STEPS = BranchConfig(temporal="every", head=HEAD)

# Name -> encoder, the branch of the action unit, that of the face shape.
BASELINES: dict[str, tuple[Any, BranchConfig, BranchConfig]] = {
    "ResNet18": (PerFrameConfig(frame=RESNET, lstm=None), BranchConfig(temporal="mean", head=HEAD), STEPS),
    "ViT": (
        PerFrameConfig(frame=VitConfig(width=8, depth=1, num_heads=2), lstm=None),
        BranchConfig(temporal="last", head=HEAD),
        STEPS,
    ),
    "LSTM": (
        PerFrameConfig(frame=RESNET, lstm=LstmConfig(hidden=8, num_layers=3)),
        BranchConfig(temporal="last", head=HEAD),
        STEPS,
    ),
    "Transformer": (
        FrameSequenceConfig(
            frame=CNN,
            sequence=TransformerConfig(width=8, num_heads=2, num_encoders=1, num_decoders=1, hidden=8),
        ),
        BranchConfig(temporal="mean", head=HEAD),
        STEPS,
    ),
    "class token": (
        FrameSequenceConfig(frame=CNN, sequence=TOKEN),
        BranchConfig(temporal="class_token", head=HEAD),
        BranchConfig(temporal="tokens", head=HEAD),
    ),
    "Fusion": (
        FrameSequenceConfig(frame=CNN, sequence=FusionConfig(hidden=8, features=4)),
        BranchConfig(temporal="mean", head=HEAD),
        STEPS,
    ),
    "I3D": (
        I3dConfig(width=4, features=8),
        BranchConfig(temporal="last", head=HEAD),
        BranchConfig(temporal="last", head=ClipStepsHeadConfig(num_steps=NUM_STEPS, hidden=(8,))),
    ),
}


def recipe(encoder: Any, unit: BranchConfig, shape: BranchConfig) -> Recipe:
    return replace(
        recipe_named("cross-modal-plif"),
        representation=HistogramConfig(resolution=Resolution(height=16, width=16)),
        encoder=encoder,
        temporal=unit.temporal,
        head=unit.head,
        further=(shape,),
    )


@pytest.mark.parametrize("name", BASELINES)
@torch.no_grad()
def test_every_baseline_answers_both_tasks_of_a_recipe(name: str) -> None:
    answers = model_of(recipe(*BASELINES[name])).eval()(torch.rand(NUM_STEPS, 3, 2, 16, 16))
    assert answers["action_unit"].shape == (3, NUM_UNITS)
    assert answers["face_shape"].shape == (NUM_STEPS, 3, NUM_COEFFICIENTS)


@pytest.mark.parametrize("name", BASELINES)
def test_a_recipe_of_a_baseline_is_the_same_after_json(name: str) -> None:
    made = recipe(*BASELINES[name])
    assert from_json(Recipe, to_json(made)) == made


def test_a_model_is_made_without_the_file_that_its_training_began_from(tmp_path: Path) -> None:
    frame = replace(RESNET, weights=str(tmp_path / "not there.pth"), is_frozen=True)
    model = model_of(recipe(PerFrameConfig(frame=frame), *BASELINES["LSTM"][1:]))
    assert not model.encoder.frame.conv1.weight.requires_grad


@pytest.mark.parametrize(
    ("encoder", "temporal"),
    [(BASELINES["class token"][0], "last"), (BASELINES["Transformer"][0], "class_token"), (I3dConfig(), "tokens")],
)
def test_class_tokens_are_read_where_there_are_any_and_nowhere_else(encoder: Any, temporal: Any) -> None:
    with pytest.raises(ConfigError, match=rf"belong to an encoder with a class token.*got '{temporal}'"):
        model_of(recipe(encoder, BranchConfig(temporal=temporal, head=HEAD), STEPS))


def test_a_head_of_all_steps_needs_one_feature_a_clip() -> None:
    every = BranchConfig(temporal="every", head=ClipStepsHeadConfig(num_steps=NUM_STEPS))
    with pytest.raises(ConfigError, match="reads one feature a clip; 'every' gives one a step"):
        model_of(recipe(I3dConfig(width=4), BASELINES["I3D"][1], every))
