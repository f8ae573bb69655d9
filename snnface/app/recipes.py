"""Recipes: one complete, serialisable choice of data, representation, model, task and training each.

One function a published experiment, its numbers written once. `RECIPES` is what the
command line offers.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from ann_baselines.c3d import C3dConfig
from snnface.datasets.synthetic import SyntheticFacesConfig
from snnface.errors import ConfigError, unknown_name
from snnface.events.window import Resolution
from snnface.models.heads import MlpHeadConfig, VotingHeadConfig
from snnface.representations import HistogramConfig, RepresentationConfig
from snnface.spiking.encoder import ConvSnnConfig
from snnface.tasks.action_units import ActionUnitTaskConfig
from snnface.training.optim import TrainingConfig

__all__ = ["RECIPES", "Recipe", "SplitConfig", "recipe_named"]


@dataclass(frozen=True, kw_only=True)
class SplitConfig:
    """How many subjects are kept apart; all others are trained on."""

    validation_subjects: int = 4
    test_subjects: int = 6

    def __post_init__(self) -> None:
        if self.validation_subjects < 1 or self.test_subjects < 1:
            raise ConfigError("validation and test need at least one subject each.")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A point in the grid data set x representation x model x task, with seed and source.

    Attributes:
        source: the paper, section and table that it follows, and what it departs from.
        seed: the root of all randomness of the run (the data set has its own).
    """

    name: str
    source: str
    data: SyntheticFacesConfig
    split: SplitConfig = field(default_factory=SplitConfig)
    representation: RepresentationConfig = field(default_factory=HistogramConfig)
    encoder: ConvSnnConfig | C3dConfig = field(default_factory=ConvSnnConfig)
    temporal: Literal["mean", "last"] = "mean"
    head: VotingHeadConfig | MlpHeadConfig = field(default_factory=VotingHeadConfig)
    task: ActionUnitTaskConfig = field(default_factory=ActionUnitTaskConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    seed: int = 0


def demo_plif() -> Recipe:
    """The micro-expression network at a size that trains in a minute on two cores.

    Source: Mastropasqua et al. 2025, "Exploring Spatial-Temporal Dynamics in Event-based
    Facial Micro-Expression Analysis", sec. 4.3.
    Departs from the paper in: synthetic faces, 8 action units, 32 x 32 pictures, 16 and 32
    maps, 128 and 80 features, counts cut at 15, 20 epochs.
    """
    return Recipe(
        name="demo-plif",
        source="Mastropasqua et al. 2025, sec. 4.3, made small; synthetic faces",
        data=SyntheticFacesConfig(),
        representation=HistogramConfig(resolution=Resolution(height=32, width=32), max_count=15),
        encoder=ConvSnnConfig(channels=(16, 32), features=(128, 80)),
        training=TrainingConfig(num_epochs=20, batch_size=16, learning_rate=3e-3),
    )


def demo_c3d() -> Recipe:
    """The 3D-CNN baseline on the same data, split and pictures as `demo_plif`.

    Source: Mastropasqua et al. 2025, sec. 5 (after Tran et al. 2015, arXiv:1412.0767).
    Departs from the paper in: as `demo_plif`; 16, 32 and 64 maps.
    """
    spiking = demo_plif()
    return Recipe(
        name="demo-c3d",
        source="Mastropasqua et al. 2025, sec. 5, made small; synthetic faces",
        data=spiking.data,
        split=spiking.split,
        representation=spiking.representation,
        encoder=C3dConfig(channels=((16,), (32,), (64,))),
        head=MlpHeadConfig(),
        training=TrainingConfig(num_epochs=20, batch_size=16, learning_rate=1e-3),
    )


def micro_expression_plif() -> Recipe:
    """The PLIF conv-SNN of the micro-expression paper, whole, on synthetic faces.

    Source: Mastropasqua et al. 2025, sec. 3 (21 action units, about 510 clips of 2.5 s), 4.3
    and 5, table 5 (event row).
    Departs from the paper in: the recordings are not public, so synthetic faces stand in
    (25 subjects, one posed clip a unit of 2.77 s); one split by subjects instead of
    leave-one-out.
    """
    return Recipe(
        name="micro-expression-plif",
        source="Mastropasqua et al. 2025, sec. 4.3 and 5, table 5; synthetic faces in place of the recordings",
        data=SyntheticFacesConfig(
            action_units=(2, 4, 5, 6, 9, 12, 15, 17, 23, 26, 41, 43, 45, 51, 52, 53, 54, 61, 62, 63, 64),
            clips_per_action_unit=1,
            clip_ms=2772,
            regime="posed",
        ),
        training=TrainingConfig(num_epochs=100, batch_size=8, learning_rate=1e-3),
    )


def micro_expression_c3d() -> Recipe:
    """The 3D-CNN of the micro-expression paper (13.06 x 2^20 parameters), whole, on synthetic faces.

    Source: Mastropasqua et al. 2025, sec. 5, table 5 (3DCNN row).
    Departs from the paper in: as `micro_expression_plif`; the layer widths are chosen to meet
    the published parameter count, which is all that the paper says of them.
    """
    spiking = micro_expression_plif()
    return Recipe(
        name="micro-expression-c3d",
        source="Mastropasqua et al. 2025, sec. 5, table 5; synthetic faces in place of the recordings",
        data=spiking.data,
        encoder=C3dConfig(),
        head=MlpHeadConfig(hidden=(368,)),
        training=TrainingConfig(num_epochs=100, batch_size=8, learning_rate=1e-4),
    )


RECIPES: dict[str, Callable[[], Recipe]] = {
    "demo-plif": demo_plif,
    "demo-c3d": demo_c3d,
    "micro-expression-plif": micro_expression_plif,
    "micro-expression-c3d": micro_expression_c3d,
}


def recipe_named(name: str) -> Recipe:
    """The recipe of that name.

    Raises:
        ConfigError: if there is none; lists the nearest names.
    """
    if name not in RECIPES:
        raise unknown_name("recipe", name, RECIPES)
    return RECIPES[name]()
