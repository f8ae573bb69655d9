"""A run folder's trained model in a parity check (`python -m conversion.parity`), in float64.

Registered in the entry points "conversion.runners" as "torch".
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ann_baselines.cvae import ConditionalVae
from conversion.from_snn import graph_from_model
from conversion.runners.run import READOUT, Run
from snnface.app.catalog import representation_of
from snnface.app.run import load_run
from snnface.errors import UnsupportedLayerError
from snnface.models.reconstruction import SpikingReconstruction
from snnface.spiking.activity import record_activity
from snnface.spiking.neurons import SpikingNeuron

__all__ = ["ModelRunner", "open_run"]


@dataclass(frozen=True, slots=True)
class ModelRunner:
    """A model that is shown pictures [T, B, *input_shape].

    Attributes:
        head: what a spiking model answers on the chip; of a conventional one all answers are given.
    """

    model: nn.Module
    input_shape: tuple[int, ...]
    head: str
    has_steps: bool = True
    num_steps: int | None = None

    def run(self, inputs: np.ndarray) -> Run:
        """Spikes by the names of the neuron modules, as the exported graph has them, and answers."""
        pictures = torch.tensor(inputs, dtype=torch.float64)
        with torch.inference_mode(), record_activity(self.model, keep_trains=True) as activity:
            answers = self._answers(pictures)
        spikes = {name: train.numpy() for name, train in activity.trains.items()}
        return Run(spikes=spikes, answers={name: answer.numpy() for name, answer in answers.items()})

    def _answers(self, pictures: Tensor) -> dict[str, Tensor]:
        if isinstance(self.model, SpikingReconstruction):
            # The reference is among the channels that the chip is shown; the picture is the host's.
            self.model.decoder(self.model.encoder(pictures))
            return {}
        answers: dict[str, Tensor] = self.model(pictures)
        is_spiking = any(isinstance(module, SpikingNeuron) for module in self.model.modules())
        if is_spiking or len(answers) == 1:
            return {READOUT: answers[self.head]}
        return answers


def open_run(folder: Path, dt_s: float | None) -> ModelRunner:
    """The finished run in a folder.

    Raises:
        DatasetNotFoundError, CheckpointError, ConfigError: as `load_run`.
        UnsupportedLayerError: if the model must be shown more than pictures.
    """
    recipe, model = load_run(folder)
    if isinstance(model, ConditionalVae):
        raise UnsupportedLayerError(
            f"the model in {folder} must be shown a reference picture too; compare its ONNX file with other tools."
        )
    twin = model.double().eval()
    if any(isinstance(module, SpikingNeuron) for module in twin.modules()):
        shape = graph_from_model(twin, head=recipe.task.target).input_shape
    else:
        pictures = representation_of(recipe)
        shape = (pictures.num_channels, pictures.resolution.height, pictures.resolution.width)
    return ModelRunner(twin, shape, recipe.task.target)
