"""What a network's answers are called, and in words."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from snnface.app.catalog import class_names_of
from snnface.app.recipes import Recipe
from snnface.tasks.action_units import ActionUnitTaskConfig
from snnface.tasks.valence_arousal import DIMENSIONS, ValenceArousalTaskConfig

__all__ = ["answer_names", "in_words"]


def answer_names(recipe: Recipe) -> dict[str, tuple[str, ...]]:
    """Target -> names of its answers, where they have any."""
    names: dict[str, tuple[str, ...]] = {}
    for task in recipe.tasks:
        if isinstance(task, ActionUnitTaskConfig):
            names[task.target] = class_names_of(recipe)
        if isinstance(task, ValenceArousalTaskConfig):
            names[task.target] = DIMENSIONS
    return names


def in_words(answers: Mapping[str, Float[np.ndarray, " K"]], names: Mapping[str, tuple[str, ...]]) -> str:
    """The best class and its share of the votes; valence and arousal; of other numbers the largest."""
    parts = []
    for target, values in answers.items():
        if names.get(target) == DIMENSIONS:
            parts += [f"{name} {value:+.3f}" for name, value in zip(DIMENSIONS, values, strict=True)]
        elif target in names:
            parts.append(f"{names[target][int(values.argmax())]} ({values.max():.3f})")
        else:
            largest = int(np.abs(values).argmax())
            parts.append(f"{target}: number {largest} of {len(values)} is {values[largest]:+.3f}")
    return ", ".join(parts) or "no picture yet"
