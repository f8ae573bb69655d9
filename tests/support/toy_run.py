"""A training run in a process of its own, for tests that kill it or start several: `python toy_run.py --out FOLDER`."""

import argparse
import os
import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from lightning_fabric import Fabric
from toy_training import toy_model, toy_samples, toy_state

from snnface.datasets.augmentation import AugmentationConfig, AugmentedSamples
from snnface.datasets.clip import Sample
from snnface.datasets.samples import ClipSamples, batches
from snnface.seeding import SeedTree
from snnface.tasks import ActionUnitTask, ActionUnitTaskConfig
from snnface.training import CheckpointWriter, EpochResult, TrainingConfig, TrainingState, load_state, train


class ToySamples(ClipSamples):
    """The samples of the toy problem as those of a data set, in a precision of their own."""

    def __init__(self, dtype: torch.dtype) -> None:
        self.clips = ()
        self._samples = [replace(sample, inputs=sample.inputs.to(dtype)) for sample in toy_samples()]

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> Sample:
        return self._samples[index]


class Epochs:
    """Seeds every epoch by its number, and kills the process, without a word, at a step."""

    def __init__(self, shuffling: torch.Generator, kill_at_step: int | None) -> None:
        self.shuffling, self.steps_left = shuffling, kill_at_step

    def on_epoch_start(self, state: TrainingState, num_steps: int) -> None:
        torch.manual_seed(100 + state.epoch)
        self.shuffling.manual_seed(200 + state.epoch)

    def on_step(self, loss: object) -> None:
        if self.steps_left is not None:
            self.steps_left -= 1
            if self.steps_left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def on_epoch_end(self, state: TrainingState, result: EpochResult) -> None: ...


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, and leave `last/` and `model.safetensors` in the folder."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--dropout", type=float, default=0.2)
    parser.add_argument("--double", action="store_true")
    parser.add_argument("--rate-weight", type=float, default=0.0)
    parser.add_argument("--kill-at-step", type=int)
    parser.add_argument("--resume", action="store_true")
    options = parser.parse_args(arguments)
    num_devices = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    fabric = Fabric(accelerator="cpu", devices=num_devices, precision="64-true" if options.double else "32-true")
    fabric.launch()
    config = TrainingConfig(
        num_epochs=4,
        batch_size=options.batch_size,
        learning_rate=1e-2,
        warmup_epochs=1,
        max_gradient_norm=1.0,
        rate_weight=options.rate_weight,
        quantisation_aware_epochs=1,
        augmentation=AugmentationConfig(max_shift=1, max_event_drop=0.2, max_time_jitter=1, polarity_swap=0.5),
    )
    state = toy_state(config, toy_model(dropout=options.dropout))
    if options.resume:
        load_state(state, options.out / "last")
    plain = ToySamples(torch.float64 if options.double else torch.float32)
    samples = AugmentedSamples(plain, config.augmentation, seeds=SeedTree(5), class_names={})
    shuffling = torch.Generator()
    writers = [CheckpointWriter(options.out)] if fabric.is_global_zero else []
    train(
        state,
        ActionUnitTask(ActionUnitTaskConfig(), num_classes=2),
        train_batches=batches(
            samples,
            batch_size=config.batch_size,
            generator=shuffling,
            share=fabric.global_rank,
            num_shares=fabric.world_size,
        ),
        validation_batches=batches(plain, batch_size=4),
        config=config,
        fabric=fabric,
        observers=[Epochs(shuffling, options.kill_at_step), *writers],
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
