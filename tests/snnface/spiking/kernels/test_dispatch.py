"""Which kernel runs, and what is said when the wanted one cannot."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from snnface.errors import ConfigError, ShapeError
from snnface.spiking import NeuronConfig
from snnface.spiking.kernels import (
    RelayOutput,
    conv_layer,
    dispatch,
    kernel_report,
    neuron_layer,
    reference,
    spike_full_layer,
    spike_product,
    use_kernel,
)

LEAK = torch.tensor(0.5)
CURRENTS = torch.rand(3, 2, 4)


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing has run, been warned of, or is asked for; what a test makes known is forgotten afterwards."""
    monkeypatch.setattr(dispatch, "_ran", set())
    monkeypatch.setattr(dispatch, "_forced", None)
    monkeypatch.setattr(dispatch, "_loaded", {"reference": reference})
    caches = (dispatch._missing, dispatch._module, dispatch._warn_once)
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()


def install(monkeypatch: pytest.MonkeyPatch, **modules: object) -> None:
    """Put these kernels in place of the real ones."""
    known = {"reference": reference, "cpu": None, "event_conv": None, "spike_layer": None, "cuda": None, **modules}

    def module(name: str) -> object:
        if known[name] is None:
            raise ImportError(f"no {name} in this test")
        return known[name]

    monkeypatch.setattr(dispatch, "_module", module)


def kernel(calls: list[str], name: str, reason: str | None = None, **extra: object) -> SimpleNamespace:
    def run(*arguments: object, **settings: object) -> object:
        calls.append(name)
        if name == "spike_layer" and arguments[1].ndim == 2:  # type: ignore[attr-defined]
            return None
        if isinstance(arguments[1], Tensor) and arguments[1].ndim == 4:
            output = reference.conv_layer(*arguments, **settings)  # type: ignore[arg-type]
            return RelayOutput(*output) if name == "spike_layer" else output
        return reference.neuron_layer(*arguments, **settings)  # type: ignore[arg-type]

    functions = {
        "neuron_layer": run,
        "conv_layer": run,
        "event_conv_layer": run,
        "spike_conv_layer": run,
        "KERNELS": (1, 3, 5),
    }
    return SimpleNamespace(unavailable=lambda: reason, **{**functions, **extra})


def test_the_kernel_of_the_device_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    install(monkeypatch, cpu=kernel(calls, "cpu"))
    neuron_layer(CURRENTS, LEAK, NeuronConfig())
    assert calls == ["cpu"]
    report = kernel_report()
    assert (report["cpu"], report["forced"], report["ran"]) == ("ready", "no", "cpu")


def test_an_unavailable_kernel_falls_to_the_reference_with_one_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[str] = []
    install(monkeypatch, cpu=kernel(calls, "cpu", "no C++ compiler was found"))
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            output = neuron_layer(CURRENTS, LEAK, NeuronConfig())
    assert calls == []
    assert torch.equal(output.spikes, reference.neuron_layer(CURRENTS, LEAK, NeuronConfig()).spikes)
    (record,) = caplog.records
    assert "the cpu kernel is not available (no C++ compiler was found)" in record.message
    assert kernel_report()["cpu"] == "no C++ compiler was found"
    assert kernel_report()["ran"] == "reference"


def test_a_kernel_that_cannot_be_imported_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    assert kernel_report()["cuda"] == "it cannot be imported: no cuda in this test"


def test_number_types_without_a_kernel_run_on_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    install(monkeypatch, cpu=kernel(calls, "cpu"))
    neuron_layer(CURRENTS.half(), LEAK, NeuronConfig())
    assert calls == []
    neuron_layer(CURRENTS.double(), LEAK, NeuronConfig())
    assert calls == ["cpu"]


def test_the_reference_can_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    install(monkeypatch, cpu=kernel(calls, "cpu"))
    with use_kernel("reference"):
        neuron_layer(CURRENTS, LEAK, NeuronConfig())
        assert kernel_report()["forced"] == "reference"
        with use_kernel(None):
            neuron_layer(CURRENTS, LEAK, NeuronConfig())
    assert calls == ["cpu"]
    assert kernel_report()["forced"] == "no"


def test_an_unknown_kernel_lists_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"cdua.*cuda"), use_kernel("cdua"):
        pass


def test_the_environment_chooses_and_a_typing_error_in_it_is_told() -> None:
    program = (
        "import torch\n"
        "from snnface.spiking import NeuronConfig, SpikingNeuron, kernel_report\n"
        "print(kernel_report()['forced'])\n"
        "SpikingNeuron(NeuronConfig())(torch.ones(1, 1, 1))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "SNNFACE_KERNEL": "refrence"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "refrence\n"
    assert "refrence" in done.stderr.splitlines()[-1]
    assert "reference" in done.stderr.splitlines()[-1]


def run_conv(
    inputs: Tensor,
    *,
    training: bool = True,
    kernel_size: int = 3,
    pool: int = 2,
    stride: int = 1,
    small_inputs: bool = False,
    learns: bool = True,
) -> None:
    weight = torch.randn(3, inputs.shape[2], kernel_size, kernel_size)
    conv_layer(
        inputs,
        weight,
        LEAK,
        NeuronConfig(),
        norm=nn.BatchNorm2d(3).requires_grad_(learns),
        stride=stride,
        padding=kernel_size // 2,
        pool=pool,
        training=training,
        small_inputs=small_inputs,
    )


SPARSE = torch.zeros(2, 1, 2, 8, 8).index_fill(4, torch.tensor([3]), 1.0)
DENSE = torch.ones(2, 1, 2, 8, 8)
WIDE = DENSE.repeat(1, 1, 5, 1, 1)


@pytest.mark.parametrize(
    ("inputs", "settings", "expected"),
    [
        (SPARSE, {}, "event_conv"),
        (DENSE, {}, "cpu"),
        # In evaluation the choice may not depend on the data: pieces would differ from the whole.
        (DENSE, {"training": False}, "event_conv"),
        (SPARSE, {"kernel_size": 4}, "cpu"),
        (SPARSE, {"kernel_size": 7}, "cpu"),
        (SPARSE, {"stride": 2}, "cpu"),
        (SPARSE, {"pool": 3}, "cpu"),
        (SPARSE.repeat(1, 1, 5, 1, 1), {}, "cpu"),
        # Spikes, in evaluation.
        (WIDE, {"training": False, "small_inputs": True, "learns": False}, "spike_layer"),
        (DENSE, {"training": False, "small_inputs": True, "learns": False, "stride": 2, "pool": 3}, "spike_layer"),
        (WIDE, {"training": False, "small_inputs": True}, "cpu"),
        (WIDE.clone().requires_grad_(), {"training": False, "small_inputs": True, "learns": False}, "cpu"),
        (WIDE, {"training": False, "learns": False}, "cpu"),
        (WIDE, {"small_inputs": True, "learns": False}, "cpu"),
        (SPARSE.clone().requires_grad_(), {}, "cpu"),
    ],
)
def test_inputs_that_need_no_gradient_take_the_path_of_events_or_of_spikes(
    monkeypatch: pytest.MonkeyPatch, inputs: Tensor, settings: dict[str, int], expected: str
) -> None:
    calls: list[str] = []
    events = kernel(calls, "event_conv", MAX_DENSITY=0.2)
    install(monkeypatch, cpu=kernel(calls, "cpu"), event_conv=events, spike_layer=kernel(calls, "spike_layer"))
    run_conv(inputs, **settings)  # type: ignore[arg-type]
    assert calls == [expected]
    assert kernel_report()["ran"] == expected


def test_spikes_take_their_path_under_autocast_and_where_a_gradient_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    install(monkeypatch, cpu=kernel(calls, "cpu"), spike_layer=kernel(calls, "spike_layer"))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        run_conv(WIDE.requires_grad_(), training=False, small_inputs=True)
    assert calls == ["spike_layer"]


INPUTS, WEIGHT = torch.tensor([[[0.0, 2.0]]]), torch.tensor([[1.0, 3.0]], requires_grad=True)


def test_full_layers_without_gradient_add_up_what_the_spikes_reach() -> None:
    if kernel_report()["spike_layer"] != "ready":
        pytest.skip("no compiled kernels")
    with torch.no_grad():
        products = spike_product(INPUTS, WEIGHT)
        output = spike_full_layer(INPUTS, WEIGHT, LEAK, NeuronConfig())
    assert products is not None
    assert output is not None
    assert products.tolist() == [[[6]]]
    assert output.spikes.tolist() == [[[1]]]
    assert kernel_report()["ran"] == "spike_layer"


def test_full_layers_that_learn_or_are_forced_have_no_path_for_spikes() -> None:
    assert spike_product(INPUTS, WEIGHT) is None
    assert spike_full_layer(INPUTS, WEIGHT, LEAK, NeuronConfig()) is None
    with torch.no_grad(), use_kernel("cpu"):
        assert spike_product(INPUTS, WEIGHT) is None
    with torch.no_grad():
        assert spike_product(INPUTS.half(), WEIGHT) is None


@pytest.mark.parametrize(
    ("inputs", "weight", "voltage"),
    [
        (torch.ones(2, 1, 3), WEIGHT, None),
        (torch.ones(2, 1, 2, 1), WEIGHT, None),
        (INPUTS, WEIGHT[0], None),
        (INPUTS, WEIGHT, torch.zeros(2, 1)),
        (INPUTS[:0], WEIGHT, None),
    ],
)
def test_full_layers_check_shapes_before_they_read_memory(
    inputs: Tensor, weight: Tensor, voltage: Tensor | None
) -> None:
    with torch.no_grad(), pytest.raises(ShapeError, match=r"full layer's inputs|voltage must|at least one step"):
        spike_full_layer.__wrapped__(inputs, weight, LEAK, NeuronConfig(), voltage=voltage)


def test_a_kernel_by_name_has_no_event_path(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    events = kernel(calls, "event_conv", MAX_DENSITY=0.2)
    install(monkeypatch, cpu=kernel(calls, "cpu"), event_conv=events)
    with use_kernel("cpu"):
        run_conv(SPARSE)
    assert calls == ["cpu"]


@pytest.mark.parametrize(("elsewhere", "expected"), [(0, "event_conv"), (256, "cpu")])
@pytest.mark.parametrize("inputs", [SPARSE, DENSE])
def test_processes_that_share_a_batch_take_one_path_whatever_their_own_density(
    monkeypatch: pytest.MonkeyPatch, inputs: Tensor, elsewhere: int, expected: str
) -> None:
    def with_the_others(counts: Tensor) -> Tensor:
        return counts + torch.tensor([3.0 * elsewhere, 3 * 256.0]).to(counts) if counts.numel() == 2 else counts

    calls: list[str] = []
    events = kernel(calls, "event_conv", MAX_DENSITY=0.5)
    install(monkeypatch, cpu=kernel(calls, "cpu"), event_conv=events)
    monkeypatch.setattr(dispatch.processes, "sum_in_place", with_the_others)
    run_conv(inputs)
    assert calls == [expected]


def test_the_compiler_of_torch_is_not_loaded_before_it_is_used() -> None:
    program = "import sys, snnface.spiking, snnface.spiking.kernels.cpu; print('torch._dynamo' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout == "False\n", done.stderr


def test_the_choice_of_a_kernel_is_a_constant_for_the_compiler_of_torch() -> None:
    marked = torch.compiler.assume_constant_result(lambda: None)
    assert vars(dispatch._load).items() >= vars(marked).items()


def test_without_a_compiler_one_warning_is_logged_and_the_report_of_a_run_says_so(tmp_path: Path) -> None:
    program = """
import json, torch
from snnface.spiking import ConvSnn, ConvSnnConfig, kernel_report
from snnface.events import Resolution
encoder = ConvSnn(ConvSnnConfig(channels=(2,), features=(3,)), in_channels=2, resolution=Resolution(4, 4))
for mode in (True, False):
    encoder.train(mode)(torch.ones(2, 2, 2, 4, 4))
print(json.dumps(kernel_report()))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**{name: value for name, value in os.environ.items() if name != "SNNFACE_KERNEL"}, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    report = json.loads(done.stdout)
    reason = "no C++ compiler was found (c++, g++, clang++)"
    assert (report["cpu"], report["event_conv"], report["ran"]) == (reason, reason, "reference")
    assert done.stderr.count("kernel is not available") == 1
    assert reason in done.stderr
