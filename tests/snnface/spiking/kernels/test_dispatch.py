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

from snnface.errors import ConfigError
from snnface.spiking import NeuronConfig
from snnface.spiking.kernels import (
    conv_layer,
    dispatch,
    full_product,
    kernel_report,
    neuron_layer,
    reference,
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
    known = {"reference": reference, "cpu": None, "event_conv": None, "cuda": None, **modules}

    def module(name: str) -> object:
        if known[name] is None:
            raise ImportError(f"no {name} in this test")
        return known[name]

    monkeypatch.setattr(dispatch, "_module", module)


def kernel(calls: list[str], name: str, reason: str | None = None, **extra: object) -> SimpleNamespace:
    def run(*arguments: object, **settings: object) -> object:
        calls.append(name)
        if isinstance(arguments[1], Tensor) and arguments[1].ndim == 4:
            return reference.conv_layer(*arguments, **settings)  # type: ignore[arg-type]
        return reference.neuron_layer(*arguments, **settings)  # type: ignore[arg-type]

    functions = {"neuron_layer": run, "conv_layer": run, "event_conv_layer": run, "KERNELS": (1, 3, 5)}
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
) -> None:
    weight = torch.randn(3, inputs.shape[2], kernel_size, kernel_size)
    conv_layer(
        inputs,
        weight,
        LEAK,
        NeuronConfig(),
        norm=nn.BatchNorm2d(3),
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
        # Spikes of many channels: in evaluation, of a single sample.
        (WIDE, {"training": False, "small_inputs": True}, "event_conv"),
        (WIDE.repeat(1, 2, 1, 1, 1), {"training": False, "small_inputs": True}, "cpu"),
        (WIDE, {"training": False}, "cpu"),
        (WIDE, {"small_inputs": True}, "cpu"),
        (SPARSE.clone().requires_grad_(), {}, "cpu"),
    ],
)
def test_sparse_inputs_of_few_channels_take_the_path_of_events(
    monkeypatch: pytest.MonkeyPatch, inputs: Tensor, settings: dict[str, int], expected: str
) -> None:
    calls: list[str] = []
    events = kernel(calls, "event_conv", MAX_DENSITY=0.2)
    install(monkeypatch, cpu=kernel(calls, "cpu"), event_conv=events)
    run_conv(inputs, **settings)  # type: ignore[arg-type]
    assert calls == [expected]
    assert kernel_report()["ran"] == expected


def test_spikes_that_meet_bfloat16_weights_are_convolved(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    install(monkeypatch, cpu=kernel(calls, "cpu"), event_conv=kernel(calls, "event_conv"))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        run_conv(WIDE, training=False, small_inputs=True)
    assert calls == ["cpu"]


PRODUCT = torch.tensor([[[0.0, 2.0]]]), torch.tensor([[1.0, 3.0]], requires_grad=True)


def test_full_layers_without_gradient_add_what_the_events_reach() -> None:
    inputs, weight = PRODUCT
    with torch.no_grad():
        products = full_product(inputs, weight)
    if kernel_report()["event_conv"] != "ready":
        pytest.skip("no compiled kernels")
    assert products is not None
    assert products.tolist() == [[[6]]]


def test_full_layers_that_learn_are_matrix_products() -> None:
    inputs, weight = PRODUCT
    assert full_product(inputs, weight) is None
    with torch.no_grad(), use_kernel("cpu"):
        assert full_product(inputs, weight) is None
    with torch.no_grad():
        assert full_product(inputs, weight.bfloat16()) is None


def test_full_layers_of_batches_and_in_bfloat16_are_matrix_products() -> None:
    inputs, weight = PRODUCT
    with torch.no_grad():
        assert full_product(inputs.repeat(1, 2, 1), weight) is None
        with torch.autocast("cpu", torch.bfloat16):
            assert full_product(inputs, weight) is None


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
