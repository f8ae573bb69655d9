"""Noisy pictures of bars and a small ANN that knows them: something to convert that a second trains."""

from functools import cache

import numpy as np
import torch
from torch import nn

__all__ = ["bar_pictures", "trained_ann"]


def bar_pictures(num_samples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures 12 x 12 of one of six bar patterns, moved and noisy, and their classes."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 6, num_samples)
    pictures = np.zeros((num_samples, 1, 12, 12))
    for picture, label in zip(pictures[:, 0], labels, strict=True):
        row, column = generator.integers(1, 5, 2)
        bars = (np.s_[0:6, 0:2], np.s_[0:6, 3:5], np.s_[0:2, 0:6], np.s_[3:5, 0:6])
        for bar in ((0, 2), (1, 3), (0, 1), (2, 3), (0, 3), (1, 2))[label]:
            picture[row : row + 6, column : column + 6][bars[bar]] = 1.0
    noisy = np.clip(pictures + generator.normal(0, 0.4, pictures.shape), 0, 1)
    return noisy.astype(np.float32), labels


@cache
def trained_ann() -> nn.Sequential:
    """A small conv ANN with batch norm and pooling, trained for a second or two."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(
            nn.Sequential(nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.AvgPool2d(2)),
            nn.Sequential(nn.Conv2d(8, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), nn.AvgPool2d(2)),
            nn.Flatten(),
            nn.Linear(144, 32),
            nn.ReLU(),
            nn.Dropout(0.1),
            nn.Linear(32, 6),
        )
        pictures, labels = (torch.as_tensor(part) for part in bar_pictures(768, 0))
        optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
        for _ in range(8):
            for picture, label in zip(pictures.split(64), labels.split(64), strict=True):
                loss = nn.functional.cross_entropy(model(picture), label)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
    return model.eval()
