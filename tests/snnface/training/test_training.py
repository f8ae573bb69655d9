"""The loop, resume, checkpoints: on a toy problem that takes a second."""

import json
from pathlib import Path

import pytest
import torch
from lightning_fabric import Fabric
from torch.utils.data import DataLoader

from snnface.datasets.clip import Batch, Sample, collate
from snnface.errors import CheckpointError, ConfigError, NonFiniteLossError
from snnface.events import Resolution
from snnface.models import FaceModel, MeanOverTime, VotingHead, VotingHeadConfig
from snnface.spiking import ConvSnn, ConvSnnConfig
from snnface.tasks import ActionUnitTask, ActionUnitTaskConfig
from snnface.training import (
    CheckpointWriter,
    EpochResult,
    MetricsLog,
    TrainingConfig,
    TrainingState,
    evaluate,
    load_state,
    load_weights,
    optimiser_of,
    save_weights,
    schedule_of,
    train,
)

TASK = ActionUnitTask(ActionUnitTaskConfig(), num_classes=2)
CONFIG = TrainingConfig(num_epochs=4, batch_size=4, learning_rate=1e-2)


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


def toy_model() -> FaceModel:
    torch.manual_seed(3)
    encoder = ConvSnn(
        ConvSnnConfig(channels=(4,), features=(8,)), in_channels=2, resolution=Resolution(height=8, width=8)
    )
    head = VotingHead(VotingHeadConfig(), num_features=8, num_outputs=2)
    return FaceModel(encoder, MeanOverTime(), {"action_unit": head})


def toy_state(config: TrainingConfig = CONFIG) -> TrainingState:
    model = toy_model()
    optimiser = optimiser_of(model, config)
    return TrainingState(model, optimiser, schedule_of(optimiser, config))


class SeedEpochs:
    def __init__(self, shuffling: torch.Generator) -> None:
        self.shuffling = shuffling

    def on_epoch_start(self, state: TrainingState, num_steps: int) -> None:
        torch.manual_seed(100 + state.epoch)
        self.shuffling.manual_seed(200 + state.epoch)

    def on_step(self, loss: object) -> None: ...

    def on_epoch_end(self, state: TrainingState, result: EpochResult) -> None: ...


class KillAfter:
    """Stands for a machine that is switched off in the middle of an epoch."""

    def __init__(self, num_steps: int) -> None:
        self.left = num_steps

    def on_epoch_start(self, state: TrainingState, num_steps: int) -> None: ...

    def on_step(self, loss: object) -> None:
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt

    def on_epoch_end(self, state: TrainingState, result: EpochResult) -> None: ...


def fit(state: TrainingState, folder: Path, *extra: object, samples: list[Sample] | None = None) -> TrainingState:
    folder.mkdir(exist_ok=True)
    shuffling = torch.Generator()
    samples = toy_samples() if samples is None else samples
    return train(
        state,
        TASK,
        train_batches=DataLoader(samples, batch_size=4, shuffle=True, generator=shuffling, collate_fn=collate),
        validation_batches=DataLoader(samples, batch_size=4, collate_fn=collate),
        config=CONFIG,
        fabric=Fabric(accelerator="cpu", devices=1),
        observers=[
            SeedEpochs(shuffling),
            MetricsLog(folder / "metrics.jsonl", epochs_done=state.epoch),
            CheckpointWriter(folder),
            *extra,
        ],
    )


def test_the_toy_problem_is_learnt(tmp_path: Path) -> None:
    state = fit(toy_state(), tmp_path)
    assert state.best_metric == 1.0
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    assert rows[-1]["train_loss"] < rows[0]["train_loss"]


@pytest.mark.parametrize("steps_until_kill", [5, 8, 14])
def test_a_killed_run_resumes_to_the_weights_of_an_uninterrupted_one(tmp_path: Path, steps_until_kill: int) -> None:
    whole = fit(toy_state(), tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        fit(toy_state(), tmp_path / "killed", KillAfter(steps_until_kill))
    resumed = toy_state()
    load_state(resumed, tmp_path / "killed" / "last")
    assert 0 < resumed.epoch < 4
    fit(resumed, tmp_path / "killed")
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(tensor, resumed.model.state_dict()[name]), name
    for name in ("metrics.jsonl", "model.safetensors", "last/optimiser.safetensors"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "killed" / name).read_bytes(), name


def test_the_same_seed_gives_the_same_weights(tmp_path: Path) -> None:
    a, b = fit(toy_state(), tmp_path / "a"), fit(toy_state(), tmp_path / "b")
    for name, tensor in a.model.state_dict().items():
        assert torch.equal(tensor, b.model.state_dict()[name]), name


def test_a_nan_stops_the_run_and_names_the_clip(tmp_path: Path) -> None:
    samples = toy_samples()
    samples[5].inputs[0, 0, 0, 0] = float("nan")
    model_with_nan_weight = toy_state()
    with torch.no_grad():
        next(model_with_nan_weight.model.parameters()).fill_(float("inf"))
    model_with_nan_weight.model.register_forward_hook(
        lambda module, inputs, output: {name: rows * float("nan") for name, rows in output.items()}
    )
    with pytest.raises(NonFiniteLossError, match=r"it is nan .*action_unit_mse.*on the clips clip\d+"):
        fit(model_with_nan_weight, tmp_path, samples=samples)


def test_evaluation_leaves_the_training_flag_and_the_weights_alone() -> None:
    model = toy_model().train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    result = evaluate(model, TASK, DataLoader(toy_samples(), batch_size=5, collate_fn=collate))
    assert model.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert result.clip_ids == tuple(f"clip{index}" for index in range(16))
    assert result.answers["action_unit"].shape == (16, 2)


def test_metrics_do_not_depend_on_the_batch_size() -> None:
    model = toy_model()
    one, many = (
        evaluate(model, TASK, DataLoader(toy_samples(), batch_size=size, collate_fn=collate)) for size in (1, 7)
    )
    assert one.metrics == many.metrics
    torch.testing.assert_close(one.answers["action_unit"], many.answers["action_unit"])


def test_weights_come_back_as_they_were_written(tmp_path: Path) -> None:
    model, other = toy_model(), toy_model()
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.zero_()
    save_weights(model, tmp_path / "m.safetensors")
    load_weights(other, tmp_path / "m.safetensors")
    assert all(torch.equal(tensor, other.state_dict()[name]) for name, tensor in model.state_dict().items())


def test_weights_of_another_model_are_refused_by_name(tmp_path: Path) -> None:
    save_weights(torch.nn.Linear(2, 2), tmp_path / "m.safetensors")
    with pytest.raises(
        CheckpointError, match=r"does not belong to this model: missing .*; not in the model: bias, weight"
    ):
        load_weights(toy_model(), tmp_path / "m.safetensors")


def test_weights_of_another_shape_are_refused(tmp_path: Path) -> None:
    save_weights(torch.nn.Linear(2, 2), tmp_path / "m.safetensors")
    with pytest.raises(CheckpointError, match=r"weight is \[2, 2\], not \[3, 2\]"):
        load_weights(torch.nn.Linear(2, 3), tmp_path / "m.safetensors")


def test_a_damaged_weights_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save_weights(toy_model(), path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(CheckpointError, match="not a readable safetensors file"):
        load_weights(toy_model(), path)


def test_weights_that_are_no_numbers_are_refused_by_name(tmp_path: Path) -> None:
    model = torch.nn.Linear(2, 2)
    with torch.no_grad():
        model.bias[0] = float("nan")
    save_weights(model, tmp_path / "m.safetensors")
    with pytest.raises(CheckpointError, match=r"holds weights that are no finite numbers \(bias\)"):
        load_weights(torch.nn.Linear(2, 2), tmp_path / "m.safetensors")


@pytest.mark.parametrize(
    "content", ["[]", "{}", "null", '{"epoch": null, "best_metric": 1, "param_groups": [], "schedule": {}}']
)
def test_a_damaged_training_state_is_refused(tmp_path: Path, content: str) -> None:
    fit(toy_state(), tmp_path)
    (tmp_path / "last" / "state.json").write_text(content)
    with pytest.raises(CheckpointError):
        load_state(toy_state(), tmp_path / "last")


def test_a_missing_weights_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is not there"):
        load_weights(toy_model(), tmp_path / "m.safetensors")


def test_a_folder_without_a_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="should hold a checkpoint"):
        load_state(toy_state(), tmp_path)


def test_a_kill_between_the_renames_of_a_checkpoint_loses_nothing(tmp_path: Path) -> None:
    fit(toy_state(), tmp_path)
    (tmp_path / "last").rename(tmp_path / ".last.old")
    state = toy_state()
    load_state(state, tmp_path / "last")
    assert state.epoch == 4


def test_a_failed_write_leaves_the_old_weights(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save_weights(toy_model(), path)
    before = path.read_bytes()

    class Broken(torch.nn.Module):
        def state_dict(self) -> dict:  # type: ignore[override]
            return {"w": "not a tensor"}

    with pytest.raises(AttributeError):
        save_weights(Broken(), path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["m.safetensors"]


def test_cosine_reaches_zero_and_constant_does_not_move() -> None:
    for schedule, expected in (("cosine", 0.0), ("constant", 1e-2)):
        state = toy_state(TrainingConfig(num_epochs=3, learning_rate=1e-2, schedule=schedule))
        for _ in range(3):
            state.optimiser.step()
            state.schedule.step()
        assert state.optimiser.param_groups[0]["lr"] == pytest.approx(expected, abs=1e-12)


def test_a_training_of_no_epochs_is_refused() -> None:
    with pytest.raises(ConfigError, match="num_epochs must be positive; got 0"):
        TrainingConfig(num_epochs=0)


def test_a_batch_moves_to_a_device() -> None:
    batch = collate(toy_samples(2)).to(torch.device("cpu"))
    assert isinstance(batch, Batch)
