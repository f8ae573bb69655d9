"""A data set of random events and labels with which a per-frame network is put together in milliseconds."""

from dataclasses import replace

import numpy as np
import torch

from ann_baselines import FrameCnnConfig, PerFrameConfig
from snnface.app.catalog import model_of
from snnface.app.experiment import Experiment
from snnface.app.recipes import Recipe
from snnface.app.recipes.converted import resnet18_on_events
from snnface.datasets.clip import Clip
from snnface.datasets.splits import Split
from snnface.events.stream import EventStream
from snnface.events.window import Resolution, TimeWindow
from snnface.recording import Recording
from snnface.representations import HistogramConfig

__all__ = ["SIDE", "STEPS", "NoisyFaces", "an_experiment", "small_recipe"]

SIDE = Resolution(height=8, width=8)
STEPS = 3


class NoisyFaces:
    """A data set of clips of three pictures of 8 ms, with random events and labels; half of its people are tested."""

    name, is_synthetic, class_names = "noise", True, {}

    def __init__(self) -> None:
        generator = np.random.default_rng(0)
        self.clips = tuple(
            Clip(
                clip_id=f"c{number}",
                recording_id=str(number),
                subject=f"s{number % 4}",
                window=TimeWindow(0, STEPS * 8000),
                labels={"valence_arousal": generator.uniform(-1, 1, (STEPS, 2)), "action_unit": number % 8},
                label_t_us=np.arange(STEPS, dtype=np.int64) * 8000,
                over_time=frozenset({"valence_arousal"}),
            )
            for number in range(12)
        )

    def recording(self, recording_id: str) -> Recording:
        generator = np.random.default_rng(int(recording_id))
        x, y = generator.integers(0, 8, (2, 400)).astype(np.uint16)
        times = np.sort(generator.integers(0, STEPS * 8000, 400))
        events = EventStream(x=x, y=y, t_us=times, polarity=generator.random(400) < 0.5, resolution=SIDE)
        return Recording(recording_id=recording_id, subject="s", events=events)


def small_recipe(task: str) -> Recipe:
    return replace(
        resnet18_on_events(task, "counts", is_quick=True),
        representation=HistogramConfig(step_ms=8, resolution=SIDE),
        encoder=PerFrameConfig(frame=FrameCnnConfig(channels=(4,), features=8), lstm=None),
    )


def an_experiment(recipe: Recipe) -> tuple[Experiment, torch.nn.Module]:
    dataset = NoisyFaces()
    test = tuple(clip for clip in dataset.clips if clip.subject in ("s0", "s1"))
    training = tuple(clip for clip in dataset.clips if clip not in test)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = model_of(recipe)
    return Experiment(recipe, dataset, Split(train=training, validation=(), test=test)), model.eval()
