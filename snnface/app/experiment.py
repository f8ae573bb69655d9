"""A recipe with its data at hand."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console
from torch import Tensor

from snnface.app.catalog import class_names_of, dataset_of, representation_of
from snnface.app.progress import counting_bar
from snnface.app.published_faces import PublishedFacesConfig
from snnface.app.recipes import Recipe
from snnface.datasets.clip import Batch, Clip, FaceDataset
from snnface.datasets.coefficient_samples import Coefficients, CoefficientSamples
from snnface.datasets.padding import PaddedSamples
from snnface.datasets.picture_samples import PictureSamples
from snnface.datasets.protocols import split_of
from snnface.datasets.samples import ClipSamples, batches
from snnface.datasets.splits import Split
from snnface.tasks.reconstruction import ReconstructionTaskConfig

__all__ = ["Experiment", "open_experiment"]


@dataclass(frozen=True, slots=True, eq=False)
class Experiment:
    """A recipe with its data at hand: what training, evaluation and deployment all start from."""

    recipe: Recipe
    dataset: FaceDataset
    split: Split

    @property
    def class_names(self) -> tuple[str, ...]:
        return class_names_of(self.recipe)

    def samples(self, clips: tuple[Clip, ...]) -> ClipSamples:
        """The clips under the recipe's representation: padded in front where clips of the set differ in length."""
        pictures = representation_of(self.recipe)
        if isinstance(self.recipe.task, ReconstructionTaskConfig):
            return PictureSamples(self.dataset, clips, pictures)
        lengths = {clip.window.num_steps(pictures.step_us) for clip in self.dataset.clips}
        fixed = self.recipe.data.max_steps if isinstance(self.recipe.data, PublishedFacesConfig) else None
        num_steps = max(lengths) if fixed is None else fixed
        if isinstance(pictures, Coefficients):
            return CoefficientSamples(self.dataset, clips, pictures, num_steps=num_steps)
        if lengths == {num_steps}:
            return ClipSamples(self.dataset, clips, pictures)
        return PaddedSamples(self.dataset, clips, pictures, num_steps=num_steps)

    def batches(self, clips: tuple[Clip, ...]) -> Iterator[Batch]:
        """Those samples in their order."""
        yield from batches(self.samples(clips), batch_size=self.recipe.training.batch_size)

    def label_batches(self, clips: tuple[Clip, ...]) -> Iterator[Batch]:
        """As `batches`, with pictures of no pixels where nothing but labels is needed of them: no recording is read."""
        samples = self.samples(clips)
        if type(samples) is ClipSamples:
            samples = _Unseen(self.dataset, clips, representation_of(self.recipe))
        elif type(samples) is PaddedSamples:
            samples = _UnseenPadded(self.dataset, clips, representation_of(self.recipe), num_steps=samples.num_steps)
        yield from batches(samples, batch_size=self.recipe.training.batch_size)


def open_experiment(recipe: Recipe, *, cache_dir: Path | None, console: Console) -> Experiment:
    """Make or load the recipe's data, and part it under its protocol; without a cache recordings are made when needed.

    Raises:
        ConfigError: if the data have too few subjects for the protocol, or lack what it asks for.
    """
    with counting_bar(console, "synthesising recordings") as on_progress:
        dataset = dataset_of(recipe, cache_dir=cache_dir, on_progress=on_progress)
    return Experiment(recipe, dataset, split_of(recipe.split, dataset, seed=recipe.seed))


class _Unseen(ClipSamples):
    """Clips with their labels, and as many steps of nothing as they have."""

    def _inputs(self, index: int) -> Tensor:
        return torch.zeros(self.clips[index].window.num_steps(self._representation.step_us), 1, 0, 0)


class _UnseenPadded(PaddedSamples, _Unseen):
    """Such clips, padded."""
