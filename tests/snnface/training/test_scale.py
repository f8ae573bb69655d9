"""Training that is killed, shared among processes, or in half precision: in processes of its own where that matters."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from lightning_fabric import Fabric
from safetensors.torch import load_file
from torch.utils.data import DataLoader

from snnface.datasets.clip import collate
from snnface.spiking.neurons import LayerOutput, SpikingNeuron
from snnface.tasks import ActionUnitTask, ActionUnitTaskConfig
from snnface.training import TrainingConfig, evaluate, train
from tests.support.toy_run import main
from tests.support.toy_training import toy_model, toy_samples, toy_state

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = ROOT / "tests" / "support" / "toy_run.py"
FILES = ("last/model.safetensors", "last/optimiser.safetensors", "last/state.json", "model.safetensors")


@pytest.fixture
def one_thread() -> Iterator[None]:
    """How sums are shared among threads decides their last bits; the runs beside this process have one each."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def run_here(out: Path, *options: str) -> None:
    """A run in this process; its folder is made first."""
    out.mkdir()
    main(["--out", str(out), *options])


def run(out: Path, *options: str, num_processes: int = 1) -> int:
    """The exit code of a run in one process of its own, or in several."""
    out.mkdir(exist_ok=True)
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={num_processes}"]
    command = [sys.executable, *(launcher if num_processes > 1 else ()), str(SCRIPT), "--out", str(out), *options]
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)}
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert finished.returncode in (0, -signal.SIGKILL), finished.stderr
    return finished.returncode


@pytest.mark.usefixtures("one_thread")
def test_a_run_that_is_killed_in_the_middle_of_an_epoch_resumes_to_the_same_bits(tmp_path: Path) -> None:
    options = ("--rate-weight", "0.1")
    run_here(tmp_path / "whole", *options)
    # 4 steps an epoch: killed in the third of four; the last is quantisation-aware.
    assert run(tmp_path / "killed", *options, "--kill-at-step", "10") == -signal.SIGKILL
    assert run(tmp_path / "killed", *options, "--resume") == 0
    for name in FILES:
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "killed" / name).read_bytes(), name


@pytest.mark.usefixtures("one_thread")
def test_two_processes_train_as_one_with_the_same_global_batch(tmp_path: Path) -> None:
    # In float64 no spike flips by rounding; Adam divides small gradients by themselves, which magnifies theirs.
    options = ("--dropout", "0", "--double", "--rate-weight", "0.1")
    run_here(tmp_path / "one", *options, "--batch-size", "8")
    assert run(tmp_path / "two", *options, "--batch-size", "4", num_processes=2) == 0
    one, two = (load_file(tmp_path / name / "last" / "model.safetensors") for name in ("one", "two"))
    start = toy_model(dropout=0.0).double().state_dict()
    for name, tensor in one.items():
        torch.testing.assert_close(
            tensor, two[name], rtol=1e-7, atol=1e-8, msg=lambda text, name=name: f"{name}: {text}"
        )
    assert not torch.allclose(one["encoder.blocks.0.conv.weight"], start["encoder.blocks.0.conv.weight"], rtol=1e-2)


def test_half_precision_trains_with_membranes_in_float32() -> None:
    config = TrainingConfig(num_epochs=4, batch_size=4, learning_rate=1e-2, precision="bf16-mixed")
    samples, task = toy_samples(), ActionUnitTask(ActionUnitTaskConfig(), num_classes=2)
    state, seen = toy_state(config), set()

    def watch(output: LayerOutput, num_updates: int, trains: torch.Tensor | None) -> None:
        if state.model.training:
            seen.add((output.spikes.dtype, output.voltage.dtype))

    for module in state.model.modules():
        if isinstance(module, SpikingNeuron):
            module.watchers.append(watch)
    loader = DataLoader(samples, batch_size=4, collate_fn=collate)
    fabric = Fabric(accelerator="cpu", devices=1, precision=config.precision)
    torch.manual_seed(0)
    train(state, task, train_batches=loader, validation_batches=loader, config=config, fabric=fabric)
    assert seen == {(torch.bfloat16, torch.float32)}
    assert all(tensor.dtype != torch.bfloat16 for tensor in state.model.state_dict().values())
    assert all(torch.isfinite(tensor).all() for tensor in state.model.state_dict().values())
    assert evaluate(state.model, task, loader).metrics["top1"] == pytest.approx(1.0)
