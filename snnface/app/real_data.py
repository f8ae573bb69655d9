"""A recipe on the published data set that its synthetic one stands in for."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import cast, get_args

from snnface.app.catalog import class_names_of, representation_of
from snnface.app.filmed_faces import FilmedFacesConfig, RecordedFolder
from snnface.app.published_faces import PublishedFacesConfig, PublishedName
from snnface.app.recipes import Recipe
from snnface.app.recipes.recipe import EncoderConfig, HeadConfig
from snnface.datasets.coefficient_samples import CoefficientsConfig
from snnface.datasets.layout.tree import require_root, wrong_layout
from snnface.datasets.published import afew_va, casme2, ck_plus, facemorphic_takes, nefer, samm, vetex
from snnface.datasets.recorded import recorded_faces
from snnface.datasets.recorded.clip_table import CLIP_TABLE
from snnface.datasets.synthetic import SyntheticFacesConfig
from snnface.errors import ConfigError, unknown_name
from snnface.faces.detection.face_crop import FaceCrop
from snnface.models.heads import ClipStepsHeadConfig, VotingHeadConfig
from snnface.representations import PlainFramesConfig, RepresentationConfig
from snnface.spiking import ConvSnnConfig
from snnface.spiking.residual import SewResNetConfig
from snnface.tasks.face_shape import FaceShapeTaskConfig

__all__ = ["REAL_SETS", "real_set_of", "with_data"]

REAL_SETS: Mapping[str, str] = MappingProxyType(
    {
        "valence-arousal": "afew-va",
        "cross-modal": "facemorphic",
        "micro-expression": "micro-expression",
        "reconstruction": "micro-expression",
        "demo": "micro-expression",
    }
)
"""How the names of recipes begin -> the data set that their paper used."""

RECORDED = "micro-expression"
# Becattini et al. 2024, sec. 6: sequences of 75 frames.
FACEMORPHIC_STEPS = 75
# The longest clip of AFEW-VA, 145 frames (Kossaifi et al. 2017), at the rate that its loader takes for it.
AFEW_VA_US = 145 * 40_000


@dataclass(frozen=True, slots=True)
class _Layout:
    """A data set's name, what its folder holds in words, and names of which one at least must be there."""

    title: str
    expected: str
    glimpses: tuple[str, ...]


LAYOUTS: Mapping[str, _Layout] = MappingProxyType(
    {
        "afew-va": _Layout(afew_va.NAME, afew_va.EXPECTED, ("[0-9][0-9][0-9]/*.json", "*/[0-9][0-9][0-9]/*.json")),
        "casme2": _Layout("CASME II", casme2.EXPECTED, ("CASME2-coding*.xlsx",)),
        "ck-plus": _Layout(ck_plus.NAME, ck_plus.EXPECTED, ("cohn-kanade-images/S*",)),
        "facemorphic": _Layout("FACEMORPHIC", facemorphic_takes.EXPECTED, ("recordings/*/AU_*", "*/AU_*")),
        "micro-expression": _Layout("the micro-expression recordings", recorded_faces.EXPECTED, (CLIP_TABLE,)),
        "nefer": _Layout(nefer.NAME, nefer.EXPECTED, ("annotations/**/*.csv",)),
        "samm": _Layout("SAMM", samm.EXPECTED, ("SAMM_Micro_FACS_Codes*.xlsx",)),
        "vetex": _Layout(vetex.NAME, vetex.EXPECTED, (vetex.VETEX_MANIFEST,)),
    }
)


def with_data(recipe: Recipe, path: Path, *, dataset: str | None = None, allow_pickle: bool = False) -> Recipe:
    """The recipe on a published data set, with every setting that must change; its split stays as it is.

    AFEW-VA: faces are cropped where the set's own points are, in a square that follows them, for films move; the
    paper says nothing of it. Clips are as long as they are, but padded to the longest for a head that answers a fixed
    number of steps, which is set to it.

    FACEMORPHIC: the middle square; clips of 75 steps, padded in front; 32 coefficients, the published ones or fitted to
    the RGB pictures. Frames are chosen as nearest, for the first comes after the first step.

    Micro-expressions: cropped to the face that is found in their frames; those of the EVK4, which has none, are whole.

    Others: the middle square; cut or padded to what a head of a fixed number of steps answers. Where spikes of the
    last layer vote, as many vote for a class as did.

    Args:
        path: the folder of the data set.
        dataset: its name; None: that of `REAL_SETS`.
        allow_pickle: read FACEMORPHIC's published coefficients, which are pickles, through a reader that takes plain
            values and arrays only.

    Raises:
        ConfigError: if the recipe names no data set, or there is none of that name.
        DatasetNotFoundError: if there is no such folder.
        DataError: if it is laid out otherwise.
    """
    name = real_set_of(recipe) if dataset is None else dataset
    if name not in LAYOUTS:
        raise unknown_name("data set", name, LAYOUTS)
    layout, root = LAYOUTS[name], path.resolve()
    require_root(root, layout.title, layout.expected)
    if not any(True for pattern in layout.glimpses for _ in root.glob(pattern)):
        raise wrong_layout(root, layout.title, layout.expected)
    if name == RECORDED:
        data: FilmedFacesConfig | PublishedFacesConfig = _recorded(recipe, root)
    else:
        data = _published(recipe, name, root, allow_pickle)
        recipe = _with_steps(recipe, data.max_steps)
    source = f"{recipe.source}; here on {layout.title} in place of what is named"
    moved = replace(recipe, data=data, representation=_representation(recipe, data), source=source)
    return replace(moved, encoder=_encoder(recipe, moved))


def real_set_of(recipe: Recipe) -> str:
    """The data set that the recipe's paper used, by the recipe's name.

    Raises:
        ConfigError: if its name is none of a paper's.
    """
    for beginning, dataset in REAL_SETS.items():
        if recipe.name.startswith(beginning):
            return dataset
    raise ConfigError(
        f"the recipe {recipe.name!r} stands for no published data set (names begin with {', '.join(REAL_SETS)}); "
        f"name one of {', '.join(LAYOUTS)}."
    )


def _recorded(recipe: Recipe, root: Path) -> FilmedFacesConfig:
    source, data = RecordedFolder(path=str(root), on_missing="leave-out"), recipe.data
    if isinstance(data, FilmedFacesConfig):
        return replace(data, source=source, crop=None if data.events == "evk4" else data.crop)
    crop = FaceCrop(size=_picture_size(recipe), is_moving=False)
    if isinstance(recipe.representation, PlainFramesConfig):
        return FilmedFacesConfig(source=source, events=None, frames="rgb", crop=crop)
    return FilmedFacesConfig(source=source, crop=crop)


def _published(recipe: Recipe, name: str, root: Path, allow_pickle: bool) -> PublishedFacesConfig:
    assert name in get_args(PublishedName)
    data = recipe.data
    window_steps = None if isinstance(data, SyntheticFacesConfig) else data.window_steps
    config = PublishedFacesConfig(
        dataset=cast(PublishedName, name),
        path=str(root),
        shows="frames" if isinstance(recipe.representation, PlainFramesConfig) else "events",
        window_steps=window_steps,
        max_steps=None if window_steps else _answered_steps(recipe),
    )
    if name == "afew-va":
        face = None if isinstance(data, SyntheticFacesConfig) else data.crop
        size = _picture_size(recipe) if face is None else face.size
        longest = None if config.max_steps is None else AFEW_VA_US // representation_of(recipe).step_us
        return replace(config, crop=FaceCrop(size=size), max_steps=longest)
    if name == "facemorphic":
        return replace(
            config,
            window_steps=None,
            max_steps=FACEMORPHIC_STEPS,
            num_coefficients=facemorphic_takes.NUM_COEFFICIENTS if _needs_coefficients(recipe) else 0,
            alpha_from="file" if allow_pickle else "pictures",
            allow_pickle=allow_pickle,
        )
    return config


def _representation(
    recipe: Recipe, data: FilmedFacesConfig | PublishedFacesConfig
) -> RepresentationConfig | CoefficientsConfig:
    old = recipe.representation
    if isinstance(old, CoefficientsConfig):
        return replace(old, num_coefficients=data.num_coefficients)
    is_facemorphic = isinstance(data, PublishedFacesConfig) and data.dataset == "facemorphic"
    return replace(old, choice="nearest") if isinstance(old, PlainFramesConfig) and is_facemorphic else old


def _encoder(recipe: Recipe, moved: Recipe) -> EncoderConfig:
    """With as many features for each class that is voted for as before."""
    encoder = recipe.encoder
    votes = any(isinstance(branch.head, VotingHeadConfig) for branch in recipe.branches)
    if not votes or not isinstance(encoder, ConvSnnConfig | SewResNetConfig):
        return encoder
    voters, rest = divmod(encoder.features[-1], len(class_names_of(recipe)) or 1)
    num_features = encoder.features[-1] if rest else voters * len(class_names_of(moved))
    return replace(encoder, features=(*encoder.features[:-1], num_features))


def _needs_coefficients(recipe: Recipe) -> bool:
    sees = isinstance(recipe.representation, CoefficientsConfig)
    return sees or any(isinstance(task, FaceShapeTaskConfig) for task in recipe.tasks)


def _answered_steps(recipe: Recipe) -> int | None:
    """How many steps a head of all steps answers; None without one."""
    heads = [branch.head for branch in recipe.branches if isinstance(branch.head, ClipStepsHeadConfig)]
    return heads[0].num_steps if heads else None


def _with_steps(recipe: Recipe, num_steps: int | None) -> Recipe:
    """With heads that answer so many steps, where they answer a fixed number."""
    if num_steps is None:
        return recipe

    def fitting(head: HeadConfig) -> HeadConfig:
        return replace(head, num_steps=num_steps) if isinstance(head, ClipStepsHeadConfig) else head

    further = tuple(replace(branch, head=fitting(branch.head)) for branch in recipe.further)
    return replace(recipe, head=fitting(recipe.head), further=further)


def _picture_size(recipe: Recipe) -> int:
    size = recipe.representation.resolution
    return max(size.height, size.width)
