"""A run folder's per-frame network with its data, as `python -m conversion.ann2snn` takes it.

Registered in the entry points "conversion.ann_sources" as "folder".
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from rich.console import Console

from conversion.ann.sources import AnnSource, OwnData, Samples
from snnface.app.catalog import representation_of
from snnface.app.evaluation import TestScorer
from snnface.app.experiment import Experiment, open_experiment
from snnface.app.frame_network import FrameNetwork, clip_answers, frame_network_of
from snnface.app.run import load_run
from snnface.cache import default_cache
from snnface.datasets.clip import Clip
from snnface.datasets.samples import ClipSamples
from snnface.errors import UnsupportedLayerError
from snnface.representations.histogram import HistogramConfig
from snnface.tasks.step_labels import labels_over_time
from snnface.tasks.valence_arousal import ValenceArousalTaskConfig

__all__ = ["ConvertedRun", "open_ann_run", "open_converted_run"]

CALIBRATION_PICTURES = 512
TRAINING_PICTURES = 4096
"""Of all training pictures these many, evenly spread: more change little and cost minutes."""


def open_ann_run(folder: Path) -> AnnSource:
    """The network of a finished run's pictures, with pictures to calibrate, tune and judge on.

    Labels are learnt from through the network's answers alone, as it has learnt them.

    Raises:
        UnsupportedLayerError: if the model is not of single pictures; see `frame_network_of`.
        SnnfaceError: as `load_run` and `open_experiment`.
    """
    recipe, model = load_run(folder)
    network = frame_network_of(model, recipe.task.target)
    # Refused by its model first, before recordings are made.
    experiment = open_experiment(recipe, cache_dir=default_cache(), console=Console(stderr=True))
    return open_converted_run(experiment, network).source


def open_converted_run(experiment: Experiment, network: FrameNetwork) -> "ConvertedRun":
    """The same with an experiment at hand."""
    recipe = experiment.recipe
    if len(recipe.tasks) > 1:
        raise UnsupportedLayerError(
            f"the model of {recipe.name!r} answers {len(recipe.tasks)} targets; a converted network answers one. "
            "Convert a run with one task."
        )
    return ConvertedRun(experiment, network)


@dataclass(frozen=True, slots=True, eq=False)
class ConvertedRun:
    """A run's data, picture by picture, clips in order and their steps in order within each."""

    experiment: Experiment
    network: FrameNetwork

    @property
    def source(self) -> AnnSource:
        """The network with its data."""
        experiment = self.experiment
        own = OwnData(
            name=f"{experiment.recipe.name}, {len(experiment.split.test)} test clips",
            is_synthetic=experiment.dataset.is_synthetic,
            # A clip's answer is the mean of its pictures': their size counts, not only which of them is the largest.
            task="regression",
            calibration=Samples(self.training_pictures(CALIBRATION_PICTURES)),
            training=Samples(self.training_pictures(TRAINING_PICTURES)),
            evaluation=Samples(self.pictures(experiment.split.test), self.test_labels()),
            scores=self.scores,
            event_bins=lambda num_bins: self.event_bins(experiment.split.test, num_bins),
        )
        notes = ["every picture starts from a fresh state: nothing is carried on from one to the next"]
        if not self.network.keeps_steps:
            notes.append("the mean over a clip's pictures is the host's")
        return AnnSource(self.network, own, tuple(notes))

    def pictures(self, clips: tuple[Clip, ...]) -> np.ndarray:
        """What the network is shown of clips: float32 [B, C, H, W]."""
        samples = self.experiment.samples(clips)
        return np.concatenate([samples[index].inputs.numpy() for index in range(len(samples))])

    def training_pictures(self, number: int) -> np.ndarray:
        """As many pictures of training clips, evenly spread over all; all of them where there are fewer."""
        samples = self.experiment.samples(self.experiment.split.train)
        num_steps = len(samples[0].inputs)
        total = len(samples) * num_steps
        chosen = np.linspace(0, total - 1, min(number, total)).round().astype(int)
        clips, steps = np.divmod(chosen, num_steps)
        # One clip at a time: a training set need not fit into memory.
        return np.concatenate([samples[int(clip)].inputs.numpy()[steps[clips == clip]] for clip in np.unique(clips)])

    def event_bins(self, clips: tuple[Clip, ...], num_bins: int) -> Iterator[np.ndarray] | None:
        """Clip by clip every picture's time in equal parts, the events counted in each: [num_bins, b, C, H, W].

        The parts add up to the picture. None where pictures are no plain counts, their time does not divide, or clips
        are padded to one length.
        """
        config = self.experiment.recipe.representation
        if not isinstance(config, HistogramConfig) or config.max_count is not None or config.step_us % num_bins:
            return None
        if type(self.experiment.samples(clips)) is not ClipSamples:
            return None
        parts = representation_of(
            replace(self.experiment.recipe, representation=replace(config, step_ms=config.step_us / num_bins / 1000))
        )
        return self._binned(ClipSamples(self.experiment.dataset, clips, parts), num_bins)

    def _binned(self, samples: ClipSamples, num_bins: int) -> Iterator[np.ndarray]:
        for index in range(len(samples)):
            inputs = samples[index].inputs.numpy()
            whole = inputs[: len(inputs) // num_bins * num_bins]
            yield np.ascontiguousarray(whole.reshape(-1, num_bins, *whole.shape[1:]).swapaxes(0, 1))

    def test_labels(self) -> np.ndarray | None:
        """Valence and arousal of the test pictures [B, 2]; None where some have none, or labels are a clip's."""
        experiment, task = self.experiment, self.experiment.recipe.task
        if not isinstance(task, ValenceArousalTaskConfig):
            return None
        rows = []
        for batch in experiment.label_batches(experiment.split.test):
            labels, present = labels_over_time(batch, task.labels, num_steps=len(batch.inputs))
            if not bool(present.all()):
                return None
            rows.append(labels.transpose(0, 1).flatten(0, 1))
        return np.asarray(torch.cat(rows).double().numpy())

    def scores(self, answers: np.ndarray) -> Mapping[str, float]:
        """The metrics of the run's task, of the answers to all test pictures [B, K]."""
        return {name: measure.value for name, measure in self.judged(answers).scores().items()}

    def judged(self, answers: np.ndarray) -> TestScorer:
        """The same clip by clip, from which intervals over subjects follow."""
        scorer, done = TestScorer(self.experiment), 0
        given = torch.tensor(answers, dtype=torch.float32)
        for batch in self.experiment.label_batches(self.experiment.split.test):
            num_steps, size = batch.inputs.shape[:2]
            part = given[done : done + num_steps * size].reshape(size, num_steps, -1).transpose(0, 1)
            scorer.add({self.experiment.recipe.task.target: clip_answers(self.network, part)}, batch)
            done += num_steps * size
        return scorer
