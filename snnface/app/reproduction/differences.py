"""How a recipe differs from the paper's, in words: found by comparing the two, so that nothing is left out."""

import json
from collections.abc import Iterator
from typing import Any

from snnface.app.filmed_faces import FilmedFacesConfig, RecordedFolder
from snnface.app.recipes import Recipe
from snnface.config import to_json
from snnface.faces.detection.face_crop import FaceCrop

__all__ = ["data_in_words", "data_name", "differences"]

NO_SETTINGS = frozenset({"name", "source", "data"})
TOLD = frozenset({"type", "source"})
"""Of the data, not compared but told by `data_in_words`."""
OF_BOTH = frozenset({"window_steps", "num_coefficients"})
"""What means the same of a published set as of the synthetic one that stands in for it."""


def differences(recipe: Recipe, paper: Recipe) -> tuple[str, ...]:
    """Every setting of `recipe` that is not the paper's, one sentence each; whom the data are of `data_in_words` tells.

    A published set has settings of its own; of the others those that mean the same are compared.
    """
    ours, theirs = json.loads(to_json(recipe)), json.loads(to_json(paper))
    for settings in (ours, theirs):
        settings["split"].pop("fold", None)  # Of a protocol with folds more than one is run.
    compared = [(name, ours[name], theirs[name]) for name in ours if name not in NO_SETTINGS]
    data, their_data = ours["data"], theirs["data"]
    names = data.keys() - TOLD if data["type"] == their_data["type"] else data.keys() & their_data.keys() & OF_BOTH
    compared += [(f"data.{name}", data[name], their_data[name]) for name in data if name in names]
    return tuple(sentence for setting in compared for sentence in _compared(*setting))


def data_name(recipe: Recipe, dataset: str) -> str:
    """What the data are called in a cell: synthetic people as such, all else by the data set's own name."""
    data = recipe.data
    if isinstance(data, FilmedFacesConfig) and not isinstance(data.source, RecordedFolder):
        return f"synthetic ({data.source.name})"
    return dataset


def data_in_words(recipe: Recipe) -> str:
    """What the recipe is run on: who, how many, before which cameras, cut to what."""
    data = recipe.data
    if not isinstance(data, FilmedFacesConfig):
        return f"{getattr(data, 'dataset', 'synthetic faces')}"
    if isinstance(data.source, RecordedFolder):
        return "recordings of a folder"
    source = data.source
    sizes = {"davis": source.davis, "davis_frames": source.davis, "evk4": source.evk4, "rgb": source.rgb}
    cameras = " and ".join(
        f"{camera} of {sizes[camera].width} x {sizes[camera].height}" for camera in (data.events, data.frames) if camera
    )
    asked = f", {len(source.action_units)} action units" if source.action_units else ""
    windows = f" in windows of {data.window_steps} steps" if data.window_steps is not None else ""
    return (
        f"synthetic people ({source.name!r}): {source.num_identities} of them{asked}, {source.num_takes} takes of "
        f"{source.clip_ms / 1000:g} s{windows}, {cameras}{_cut(data.crop)}"
    )


def _cut(crop: FaceCrop | None) -> str:
    if crop is None:
        return ""
    moves = "moves with it" if crop.is_moving else "rests"
    return f", {crop.size} x {crop.size} pixels of a square that is {crop.margin:g} times the face and {moves}"


def _compared(path: str, ours: Any, theirs: Any) -> Iterator[str]:
    if ours == theirs:
        return
    if isinstance(ours, dict) and isinstance(theirs, dict) and ours.get("type") == theirs.get("type"):
        for key, value in ours.items():
            yield from _compared(f"{path}.{key}", value, theirs.get(key))
    else:
        yield f"{path}: {_in_words(ours)} here, {_in_words(theirs)} in the paper's."


def _in_words(value: Any) -> str:
    """A config by its name and numbers, a list by its entries."""
    if isinstance(value, dict):
        settings = ", ".join(f"{key} {_in_words(entry)}" for key, entry in value.items() if key != "type")
        return f"{str(value.get('type', '')).removesuffix('Config')}({settings})"
    if isinstance(value, list):
        return f"({', '.join(map(_in_words, value))})"
    return "none" if value is None else str(value)
