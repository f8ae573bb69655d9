"""A problem that a small spiking network learns in a second: events in the upper or in the lower half."""

import torch

from snnface.datasets.clip import Sample
from snnface.events import Resolution
from snnface.models import FaceModel, MeanOverTime, VotingHead, VotingHeadConfig
from snnface.spiking import ConvSnn, ConvSnnConfig
from snnface.training import TrainingConfig, TrainingState, optimiser_of, schedule_of


def toy_samples(count: int = 16) -> list[Sample]:
    """Class 0 has its events in the upper half, class 1 in the lower."""
    generator = torch.Generator().manual_seed(1)
    samples = []
    for index in range(count):
        inputs = torch.zeros(6, 2, 8, 8)
        rows = slice(0, 4) if index % 2 == 0 else slice(4, 8)
        inputs[:, :, rows] = torch.poisson(torch.full((6, 2, 4, 8), 1.0), generator=generator)
        samples.append(Sample(f"clip{index}", inputs, {"action_unit": torch.tensor(index % 2)}))
    return samples


def toy_model(*, dropout: float = 0.2) -> FaceModel:
    torch.manual_seed(3)
    config = ConvSnnConfig(channels=(4,), features=(8,), dropout=dropout)
    encoder = ConvSnn(config, in_channels=2, resolution=Resolution(height=8, width=8))
    head = VotingHead(VotingHeadConfig(), num_features=8, num_outputs=2)
    return FaceModel(encoder, MeanOverTime(), {"action_unit": head})


def toy_state(config: TrainingConfig, model: FaceModel | None = None) -> TrainingState:
    model = toy_model() if model is None else model
    optimiser = optimiser_of(model, config)
    return TrainingState(model, optimiser, schedule_of(optimiser, config))
