"""The loop, resume, checkpoints: on a toy problem that takes a second."""

import json
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
import torch
from lightning_fabric import Fabric
from rich.console import Console
from torch.utils.data import DataLoader

from snnface.datasets.clip import Batch, Sample, collate
from snnface.errors import CheckpointError
from snnface.models.temporal import EveryStep
from snnface.tasks import ActionUnitTask, ActionUnitTaskConfig
from snnface.tasks.base import Loss
from snnface.training import (
    CheckpointWriter,
    EpochResult,
    MetricsLog,
    ProgressBar,
    TrainingConfig,
    TrainingState,
    evaluate,
    load_state,
    load_weights,
    save_weights,
    schedule_of,
    train,
)
from tests.support.toy_training import toy_model, toy_samples, toy_state

TASK = ActionUnitTask(ActionUnitTaskConfig(), num_classes=2)
CONFIG = TrainingConfig(num_epochs=4, batch_size=4, learning_rate=1e-2)


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
    state = fit(toy_state(CONFIG), tmp_path)
    assert state.best_metric == 1.0
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    assert rows[-1]["train_loss"] < rows[0]["train_loss"]


@pytest.mark.parametrize("steps_until_kill", [5, 8, 14])
def test_a_killed_run_resumes_to_the_weights_of_an_uninterrupted_one(tmp_path: Path, steps_until_kill: int) -> None:
    whole = fit(toy_state(CONFIG), tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        fit(toy_state(CONFIG), tmp_path / "killed", KillAfter(steps_until_kill))
    resumed = toy_state(CONFIG)
    load_state(resumed, tmp_path / "killed" / "last")
    assert 0 < resumed.epoch < 4
    fit(resumed, tmp_path / "killed")
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(tensor, resumed.model.state_dict()[name]), name
    for name in ("metrics.jsonl", "model.safetensors", "last/optimiser.safetensors"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "killed" / name).read_bytes(), name


class Notes:
    """What an epoch brought."""

    def __init__(self) -> None:
        self.results: list[EpochResult] = []

    def on_epoch_start(self, state: TrainingState, num_steps: int) -> None: ...

    def on_step(self, loss: object) -> None: ...

    def on_epoch_end(self, state: TrainingState, result: EpochResult) -> None:
        self.results.append(result)


def loader(samples: object, batch_size: int = 4) -> "DataLoader[Batch]":
    return DataLoader(samples, batch_size=batch_size, collate_fn=collate)  # type: ignore[arg-type]


def test_the_best_weights_of_quantised_epochs_are_chosen_among_these() -> None:
    config, notes = TrainingConfig(num_epochs=3, learning_rate=1e-2, quantisation_aware_epochs=1), Notes()
    state = toy_state(config)
    kinds = [type(module) for module in state.model.modules()]
    # No epoch can be better than the first; the first quantised one is the best of its kind all the same.
    state.best_metric = 2.0
    train(
        state,
        TASK,
        train_batches=loader(toy_samples()),
        validation_batches=loader(toy_samples()),
        config=config,
        fabric=Fabric(accelerator="cpu", devices=1),
        observers=[notes],
    )
    assert [result.is_best for result in notes.results] == [False, False, True]
    assert [type(module) for module in state.model.modules()] == kinds


@pytest.mark.parametrize("is_judged", [True, False])
def test_the_last_weights_are_kept_where_nothing_is_chosen(tmp_path: Path, is_judged: bool) -> None:
    config, notes = replace(CONFIG, selection="last" if is_judged else "validation", num_epochs=3), Notes()
    state = toy_state(config)
    # No epoch can be better than this.
    state.best_metric = 2.0
    train(
        state,
        TASK,
        train_batches=loader(toy_samples()),
        validation_batches=loader(toy_samples()) if is_judged else None,
        config=config,
        fabric=Fabric(accelerator="cpu", devices=1),
        observers=[notes, CheckpointWriter(tmp_path), MetricsLog(tmp_path / "metrics.jsonl", chosen_on="test")],
    )
    assert [result.is_best for result in notes.results] == [True, True, True]
    kept = toy_model()
    load_weights(kept, tmp_path / "model.safetensors")
    for name, tensor in state.model.state_dict().items():
        assert torch.equal(tensor, kept.state_dict()[name]), name
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [list(row) for row in rows] == [["epoch", "train_loss", "test"]] * 3
    assert all(("top1" in row["test"]) == is_judged for row in rows)


def test_a_progress_bar_says_what_the_weights_are_chosen_on() -> None:
    for validation, shown in (({"top1": 0.25}, "· test top1 0.250"), ({}, "")):
        console = Console(force_terminal=True, width=200, file=StringIO())
        bar = ProgressBar(console, label="run", num_epochs=1, metric="top1", chosen_on="test")
        with bar:
            bar.on_epoch_start(toy_state(CONFIG), 1)
            bar.on_epoch_end(toy_state(CONFIG), EpochResult(1, 0.5, validation, True))
            bar.on_step(Loss(torch.tensor(0.5), {}))
        assert isinstance(console.file, StringIO)
        assert f"loss 0.5000 {shown}" in console.file.getvalue()
        assert ("test" in console.file.getvalue()) == bool(validation)


def test_long_gradients_are_cut_to_the_length_asked_for() -> None:
    config = TrainingConfig(num_epochs=1, max_gradient_norm=1e-3)
    model = toy_model()
    optimiser = torch.optim.SGD(model.parameters(), lr=1.0)
    state = TrainingState(model, optimiser, schedule_of(optimiser, config))
    before = torch.cat([parameter.detach().flatten().clone() for parameter in state.model.parameters()])
    train(
        state,
        TASK,
        train_batches=loader(toy_samples(4)),
        validation_batches=loader(toy_samples(4)),
        config=config,
        fabric=Fabric(accelerator="cpu", devices=1),
    )
    after = torch.cat([parameter.detach().flatten() for parameter in state.model.parameters()])
    assert float((after - before).norm()) == pytest.approx(1e-3, rel=1e-2)


def test_samples_that_ask_for_it_are_told_the_epoch() -> None:
    class Listening(list[Sample]):
        def set_epoch(self, epoch: int) -> None:
            heard.append(epoch)

    heard: list[int] = []
    train(
        toy_state(CONFIG),
        TASK,
        train_batches=loader(Listening(toy_samples(4))),
        validation_batches=loader(toy_samples(4)),
        config=CONFIG,
        fabric=Fabric(accelerator="cpu", devices=1),
    )
    assert heard == [0, 1, 2, 3]


def test_answers_of_every_step_are_gathered_clip_by_clip() -> None:
    model = toy_model()
    model.temporal = EveryStep()
    result = evaluate(model, TASK, loader(toy_samples(), batch_size=6))
    assert result.answers["action_unit"].shape == (16, 6, 2)
    mean = evaluate(toy_model(), TASK, loader(toy_samples(), batch_size=16))
    torch.testing.assert_close(result.answers["action_unit"].mean(1), mean.answers["action_unit"])
    assert result.metrics == mean.metrics


def test_the_same_seed_gives_the_same_weights(tmp_path: Path) -> None:
    a, b = fit(toy_state(CONFIG), tmp_path / "a"), fit(toy_state(CONFIG), tmp_path / "b")
    for name, tensor in a.model.state_dict().items():
        assert torch.equal(tensor, b.model.state_dict()[name]), name


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
    fit(toy_state(CONFIG), tmp_path)
    (tmp_path / "last" / "state.json").write_text(content)
    with pytest.raises(CheckpointError):
        load_state(toy_state(CONFIG), tmp_path / "last")


def test_a_missing_weights_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is not there"):
        load_weights(toy_model(), tmp_path / "m.safetensors")


def test_a_folder_without_a_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="should hold a checkpoint"):
        load_state(toy_state(CONFIG), tmp_path)


def test_a_kill_between_the_renames_of_a_checkpoint_loses_nothing(tmp_path: Path) -> None:
    fit(toy_state(CONFIG), tmp_path)
    (tmp_path / "last").rename(tmp_path / ".last.old")
    state = toy_state(CONFIG)
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


def test_a_batch_moves_to_a_device() -> None:
    batch = collate(toy_samples(2)).to(torch.device("cpu"))
    assert isinstance(batch, Batch)
