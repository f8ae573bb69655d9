"""Which recipe a row of a table runs, under the options of the command."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from ann_baselines import FrameSequenceConfig, PerFrameConfig, ResNet18Config
from snnface.app.catalog import class_names_of
from snnface.app.filmed_faces import FilmedFacesConfig
from snnface.app.real_data import with_data
from snnface.app.recipes import Recipe, recipe_named
from snnface.app.recipes.names import QUICK
from snnface.app.reproduction.table import Row, Table
from snnface.app.run import Device
from snnface.config import to_json
from snnface.datasets.protocols import ShareOfSubjectsConfig, SplitConfig
from snnface.datasets.synthesis.presets import SynthesisConfig, preset_named
from snnface.errors import ConfigError
from snnface.models.heads import ClipStepsHeadConfig, VotingHeadConfig
from snnface.representations.histogram import HistogramConfig
from snnface.spiking.encoder import ConvSnnConfig

__all__ = ["PlannedRun", "ReproduceConfig", "planned_runs", "settings_hash"]


@dataclass(frozen=True, kw_only=True)
class ReproduceConfig:
    """How the tables are rerun.

    Attributes:
        quick: small networks on small synthetic sets, minutes a row, instead of the papers' sizes.
        data: the real set that the tables are of; None: synthetic people.
        transfer_data: NEFER, for the table that tests on it.
        allow_pickle: read files of the real set that are pickles.
        preset: another set of synthetic people than the recipes'.
        weights: ImageNet weights of ResNet18, which is then frozen where the paper freezes it.
        folds: those to run of the papers' protocols; none: all of them, or a quick run's own.
        device: where networks run; on "cuda" they train in bfloat16.
        scheduler: a Dask cluster that the runs are spread over.
        workers: processes on this machine; None: one for each core, and one on a GPU.

    Raises:
        ConfigError: if two options exclude each other.
    """

    quick: bool = False
    data: Path | None = None
    transfer_data: Path | None = None
    allow_pickle: bool = False
    preset: str | None = None
    weights: Path | None = None
    folds: tuple[int, ...] = ()
    device: Device = "auto"
    scheduler: str | None = None
    workers: int | None = None

    def __post_init__(self) -> None:
        if self.data is not None and self.preset is not None:
            raise ConfigError("data names a real set and preset a synthetic one; give one of the two.")
        if self.transfer_data is not None and self.data is None:
            raise ConfigError("transfer_data is NEFER beside AFEW-VA; give the latter as data too.")
        if self.scheduler is not None and self.workers is not None:
            raise ConfigError("a cluster has its own workers; give scheduler or workers, not both.")


@dataclass(frozen=True, kw_only=True)
class PlannedRun:
    """A recipe to train and test.

    Attributes:
        recipe: as it is run.
        paper: the same at the paper's sizes and protocol, to say what differs.
        folds: of its protocol; None: all.
    """

    recipe: Recipe
    paper: Recipe
    folds: tuple[int, ...] | None

    @property
    def folder_name(self) -> str:
        """The recipe's name, and a hash of all its settings: rows with one recipe share one run."""
        return f"{self.recipe.name}-{settings_hash(self.recipe)}"

    @property
    def has_one_fold(self) -> bool:
        one_split = isinstance(self.recipe.split, SplitConfig | ShareOfSubjectsConfig)
        return one_split or (self.folds is not None and len(self.folds) == 1)


def settings_hash(recipe: Recipe) -> str:
    """Ten digits that differ where a setting does."""
    return hashlib.sha256(to_json(recipe).encode()).hexdigest()[:10]


def planned_runs(table: Table, config: ReproduceConfig) -> dict[str, PlannedRun]:
    """Row label -> what it runs; rows that are only quoted have nothing.

    Raises:
        ConfigError: if an option does not fit the table; as `with_data`.
    """
    names = {row.recipe.partition("-")[0] for row in table.rows if row.recipe is not None}
    if config.data is not None and len(names) > 1:
        raise ConfigError(
            f"the rows of {table.name} are of several data sets, and --data is one. Run it on synthetic faces, or each "
            "paper's own tables on its data."
        )
    return {row.label: _planned(row, config) for row in table.rows if row.recipe is not None}


def _planned(row: Row, config: ReproduceConfig) -> PlannedRun:
    assert row.recipe is not None
    paper = recipe_named(row.recipe)
    recipe = recipe_named(row.recipe + QUICK) if config.quick else paper
    if config.data is not None:
        # The small sets' own split is for their own people.
        recipe = replace(with_data(recipe, config.data, allow_pickle=config.allow_pickle), split=paper.split)
    elif config.folds:
        recipe = replace(recipe, split=paper.split)
    if config.preset is not None:
        recipe = _with_preset(recipe, config.preset)
    if config.weights is not None:
        recipe = _with_weights(recipe, config.weights)
    if config.device == "cuda":
        recipe = replace(recipe, training=replace(recipe.training, precision="bf16-mixed"))
    is_split = isinstance(recipe.split, SplitConfig | ShareOfSubjectsConfig)
    first_only = config.quick and config.data is not None and not is_split
    folds = config.folds or ((0,) if first_only else None)
    return PlannedRun(recipe=_fitted(recipe), paper=paper, folds=None if is_split else folds)


def _with_preset(recipe: Recipe, name: str) -> Recipe:
    data = recipe.data
    preset = preset_named(name)
    if not isinstance(data, FilmedFacesConfig) or not isinstance(data.source, SynthesisConfig):
        raise ConfigError(f"the recipe {recipe.name!r} is not of filmed people; a preset cannot take their place.")
    needs = set(filter(None, (data.events, data.frames)))
    if missing := sorted(needs - set(preset.cameras)):
        raise ConfigError(
            f"the recipe {recipe.name!r} needs the camera {missing[0]!r}, and the preset {name!r} films with "
            f"{', '.join(preset.cameras)}. Choose another preset."
        )
    return replace(recipe, data=replace(data, source=preset))


def _with_weights(recipe: Recipe, weights: Path) -> Recipe:
    """Fusion learns its ResNet18 further; in front of an LSTM or a transformer it stays as it is."""
    encoder = recipe.encoder
    if not isinstance(encoder, PerFrameConfig | FrameSequenceConfig) or not isinstance(encoder.frame, ResNet18Config):
        return recipe
    is_frozen = encoder.lstm is not None if isinstance(encoder, PerFrameConfig) else "fusion" not in recipe.name
    frame = replace(encoder.frame, weights=str(weights.resolve()), is_frozen=is_frozen)
    return replace(recipe, encoder=replace(encoder, frame=frame))


def _fitted(recipe: Recipe) -> Recipe:
    """Widths that follow from the data: ten votes for each of its classes, an answer for each of its steps."""
    encoder = recipe.encoder
    if isinstance(encoder, ConvSnnConfig) and isinstance(recipe.head, VotingHeadConfig):
        votes = 10 * len(class_names_of(recipe))
        recipe = replace(recipe, encoder=replace(encoder, features=(*encoder.features[:-1], votes)))
    num_steps = _num_steps(recipe)
    if num_steps is None:
        return recipe
    further = tuple(
        replace(branch, head=replace(branch.head, num_steps=num_steps))
        if isinstance(branch.head, ClipStepsHeadConfig)
        else branch
        for branch in recipe.further
    )
    return replace(recipe, further=further)


def _num_steps(recipe: Recipe) -> int | None:
    """How many steps each clip of synthetic people has; `with_data` knows those of real sets."""
    data, pictures = recipe.data, recipe.representation
    if not isinstance(data, FilmedFacesConfig) or not isinstance(data.source, SynthesisConfig):
        return None
    if data.window_steps is not None or not isinstance(pictures, HistogramConfig):
        return data.window_steps
    return data.source.clip_ms * 1000 // pictures.step_us
