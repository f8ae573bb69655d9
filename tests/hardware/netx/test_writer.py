"""netx files: what is written comes back, what other tools write is read, what is broken is named."""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from conversion.graph import INPUT, Connection, Conv2dSynapse, LinearSynapse, Readout
from conversion.integer_graph import IntegerGraph, IntegerNeuron, IntegerPopulation
from hardware.netx.reader import read_netx
from hardware.netx.writer import write_netx
from hardware.random_networks import or_pool, random_network, relay_neuron
from snnface.errors import ConfigError, DataError, DatasetNotFoundError, HardwareError, PrecisionError, SnnfaceError


def small_graph() -> IntegerGraph:
    """A convolution with biases, an OR pool, and a full matrix with delays, over 2 x 4 x 6 counts of 3 bits."""
    draw = np.random.default_rng(0)
    bias = draw.integers(-9, 9, (4, 1, 1))
    conv = Conv2dSynapse(2 * draw.integers(-60, 60, (4, 1, 3, 1)), None, (1, 2), (1, 0), (1, 1), 2)
    matrix = LinearSynapse(2 * draw.integers(-60, 60, (5, 4 * 2 * 1)))
    neuron = IntegerNeuron(du=100, dv=3, vth=70, bias_mant=bias, bias_exp=6)
    populations = (
        IntegerPopulation("conv", (4, 4, 3), neuron, (Connection(INPUT, conv),)),
        IntegerPopulation("pool", (4, 2, 1), relay_neuron(), (Connection("conv", or_pool(4)),)),
        IntegerPopulation(
            "full",
            (5,),
            replace(neuron, bias_mant=np.arange(5)),
            (Connection("pool", matrix, np.eye(5, 8, dtype=int)),),
        ),
    )
    return IntegerGraph((2, 4, 6), 3, populations, Readout("full", draw.normal(size=(2, 5)), np.ones(2), leak=0.25))


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "net.net"
    write_netx(small_graph(), path)
    return path


def assert_same(one: IntegerGraph, other: IntegerGraph) -> None:
    assert (one.input_shape, one.input_bits) == (other.input_shape, other.input_bits)
    assert len(one.populations) == len(other.populations)
    for a, b in zip(one.populations, other.populations, strict=True):
        assert (a.name, a.shape) == (b.name, b.shape)
        assert isinstance(a.neuron, IntegerNeuron)
        assert isinstance(b.neuron, IntegerNeuron)
        for name in ("du", "dv", "vth", "bias_exp", "is_relay"):
            assert getattr(a.neuron, name) == getattr(b.neuron, name)
        assert np.array_equal(*(np.broadcast_to(p.neuron.bias_mant, p.shape) for p in (a, b)))
        (link_a,), (link_b,) = a.inputs, b.inputs
        assert link_a.source == link_b.source
        assert np.array_equal(link_a.synapse.weight, link_b.synapse.weight)
        assert link_a.synapse.output_shape(one.shape_of(link_a.source)) == a.shape
        assert (link_a.delay is None) == (link_b.delay is None)
        assert link_a.delay is None or np.array_equal(link_a.delay, link_b.delay)
    assert np.array_equal(one.readout.weight, other.readout.weight)
    assert np.array_equal(one.readout.bias, other.readout.bias)
    assert (one.readout.source, one.readout.leak) == (other.readout.source, other.readout.leak)


def test_what_is_written_comes_back(written: Path) -> None:
    assert_same(read_netx(written), replace(small_graph(), populations=read_netx(written).populations))
    graph, back = small_graph(), read_netx(written)
    relay = replace(graph.populations[1].neuron, bias_exp=6)
    assert_same(
        back,
        replace(
            graph, populations=(graph.populations[0], replace(graph.populations[1], neuron=relay), graph.populations[2])
        ),
    )


def test_random_networks_come_back_or_are_refused_by_name(tmp_path: Path) -> None:
    num_written, refused = 0, {}
    for seed in range(12):
        path, graph = tmp_path / f"{seed}.net", random_network(seed).graph
        try:
            form = write_netx(graph, path, round_biases=True)
        except HardwareError as error:
            named = [population.name for population in graph.populations if repr(population.name) in str(error)]
            refused[path] = named
            continue
        assert_same(read_netx(path), form.graph)
        num_written += 1
    assert num_written >= 4
    assert all(named and not path.exists() for path, named in refused.items())


def test_the_file_holds_what_the_format_says(written: Path) -> None:
    with h5py.File(written) as file:
        layers = file["layer"]
        kinds = [layers[str(number)]["type"][0].decode("ascii") for number in range(len(layers))]
        assert kinds == ["input", "conv", "conv", "flatten", "dense"]
        assert layers["0/shape"][()].tolist() == [2, 4, 6]
        assert layers["1/shape"][()].tolist() == [4, 4, 3]
        assert (layers["1/stride"][()].tolist(), layers["1/padding"][()].tolist()) == ([1, 2], [1, 0])
        assert layers["1/groups"][()] == 2
        assert layers["1/neuron/iDecay"][()] == 101
        assert layers["1/neuron/vThMant"][()] == 70
        assert layers["1/bias"].shape == (4,)
        assert "bias" not in layers["2"]
        assert layers["3/shape"][()].tolist() == [8, 1, 1]
        assert layers["4/weight"].shape == (5, 8)
        assert layers["4/type"].dtype == np.dtype("S10")


def test_a_bias_of_its_own_for_each_neuron_of_a_map_comes_back(tmp_path: Path) -> None:
    graph = small_graph()
    first = graph.populations[0]
    bias = np.arange(48).reshape(4, 4, 3)
    graph = replace(
        graph, populations=(replace(first, neuron=replace(first.neuron, bias_mant=bias)), *graph.populations[1:])
    )
    write_netx(graph, tmp_path / "a.net")
    with h5py.File(tmp_path / "a.net") as file:
        assert file["layer/1/bias"].shape == (3, 4, 4)  # (W, H, C), as netx wants it
    assert np.array_equal(read_netx(tmp_path / "a.net").populations[0].neuron.bias_mant, bias)


def test_the_name_must_end_in_net(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"ends in \.net; got 'a\.h5'"):
        write_netx(small_graph(), tmp_path / "a.h5")


def test_a_refused_network_leaves_the_old_file(written: Path) -> None:
    before = written.read_bytes()
    graph = small_graph()
    zero = replace(graph.populations[2].inputs[0], synapse=LinearSynapse(np.zeros((5, 8), dtype=np.int64)))
    with pytest.raises(HardwareError, match="are 0"):
        write_netx(
            replace(graph, populations=(*graph.populations[:2], replace(graph.populations[2], inputs=(zero,)))), written
        )
    assert written.read_bytes() == before
    assert [path.name for path in written.parent.iterdir()] == ["net.net"]


def foreign(path: Path, **changes: Any) -> Path:
    """A file as slayer writes one: scalar strings, float numbers, a kernel of five axes, no group of ours."""
    with h5py.File(path, "w") as file:
        layers = file.create_group("layer")
        entry = layers.create_group("0")
        entry["type"], entry["shape"] = np.bytes_("input"), [1, 3, 3]
        conv = layers.create_group("1")
        conv["type"], conv["shape"] = np.bytes_("conv"), [2, 3, 3]
        conv["weight"] = np.arange(18.0).reshape(2, 1, 3, 3, 1)
        conv["stride"], conv["padding"], conv["dilation"], conv["groups"] = 1, 1, [1, 1], 1
        layers.create_group("2")["type"] = np.array([b"flatten"])
        full = layers.create_group("3")
        full["type"], full["shape"], full["weight"] = np.bytes_("dense"), [2], np.ones(36, dtype=int)
        full["delay"] = 3
        for layer in (conv, full):
            neuron = layer.create_group("neuron")
            neuron["type"], neuron["iDecay"], neuron["vDecay"], neuron["vThMant"] = np.bytes_("LOIHI"), 4096, 12, [80]
    return path


def test_a_file_of_another_tool_is_read_with_rates_for_answers(tmp_path: Path) -> None:
    graph = read_netx(foreign(tmp_path / "a.net"))
    first, second = graph.populations
    assert (first.name, first.shape, second.name, second.shape) == ("layer00", (2, 3, 3), "layer01", (2,))
    assert first.inputs[0].synapse.weight.shape == (2, 1, 3, 3)
    assert second.inputs[0].synapse.weight.shape == (2, 18)
    assert second.inputs[0].delay is not None
    assert (second.inputs[0].delay == 3).all()
    assert (first.neuron.du, first.neuron.dv, first.neuron.vth) == (4095, 12, 80)
    assert graph.input_bits == 0
    spikes = np.array([[[1, 0]], [[1, 1]]])
    assert graph.readout(spikes).tolist() == [[1.0, 0.5]]


@pytest.mark.parametrize(
    ("delay", "expected"),
    [
        ([1, 2], [[1, 1, 1], [2, 2, 2]]),
        ([1, 2, 3], [[1, 2, 3], [1, 2, 3]]),
        ([[1, 2, 3], [4, 5, 6]], [[1, 2, 3], [4, 5, 6]]),
    ],
)
def test_delays_may_be_given_per_output_per_input_or_in_full(tmp_path: Path, delay: list, expected: list) -> None:
    with h5py.File(tmp_path / "a.net", "w") as file:
        layer = file.create_group("layer/0")
        layer["type"], layer["shape"], layer["weight"], layer["delay"] = b"dense", [2], np.full((2, 3), 2), delay
        neuron = layer.create_group("neuron")
        neuron["type"], neuron["iDecay"], neuron["vDecay"], neuron["vThMant"] = b"CUBA", 1, 0, 1
    graph = read_netx(tmp_path / "a.net")
    assert graph.input_shape == (3,)
    assert graph.populations[0].inputs[0].delay is not None
    assert graph.populations[0].inputs[0].delay.tolist() == expected


def put(place: str, value: Any) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        if place in file:
            del file[place]
        if value is not None:
            file[place] = value

    return change


def links_out(file: h5py.File) -> None:
    del file["layer/1/weight"]
    file["layer/1/weight"] = h5py.ExternalLink("elsewhere.h5", "/weight")


def lies_elsewhere(file: h5py.File) -> None:
    del file["layer/1/weight"]
    file["layer/1"].create_dataset("weight", (4, 1, 3, 1), dtype="i8", external=[("elsewhere.bin", 0, 96)])


def is_huge(file: h5py.File) -> None:
    del file["layer/1/weight"]
    file["layer/1"].create_dataset("weight", (1 << 15, 1 << 15, 1, 1), dtype="i1", chunks=True)


BROKEN: list[tuple[Any, type[SnnfaceError], str]] = [
    (put("layer", None), DataError, "'layer' is missing"),
    (put("layer", 3), DataError, "'layer' must be a group"),
    (put("layer/2", None), DataError, "'net.net', /layer: '2' is missing"),
    (put("layer/1/weight", None), DataError, "/layer/1: 'weight' is missing"),
    (put("layer/1/weight", np.full((4, 1, 3, 1), np.nan)), DataError, "/layer/1: 'weight' must hold finite numbers"),
    (put("layer/1/weight", np.full((4, 1, 3, 1), 0.5)), DataError, "'weight' must hold whole numbers"),
    (put("layer/1/weight", np.full((4, 1, 3, 1), 2.0**40)), DataError, "'weight' must hold whole numbers below"),
    (put("layer/1/weight", np.array([b"many"])), DataError, "/layer/1: 'weight' must hold finite numbers; it is"),
    (put("layer/1/weight", np.ones((4, 3))), DataError, r"2 groups cannot have weights of \(4, 3\)"),
    (put("layer/1/weight", np.ones((4, 2, 3, 1))), DataError, "over 4 channels cannot read"),
    (put("layer/1/groups", 3), DataError, r"3 groups cannot have weights of \(4, 1, 3, 1\)"),
    (put("layer/1/stride", 0), DataError, "'stride' must be one or two numbers from 1 on; got"),
    (put("layer/1/shape", [4, 4, 4]), DataError, r"its shape says \(4, 4, 4\); its weights give \(4, 4, 3\)"),
    (put("layer/1/shape", [4, 4]), DataError, r"'shape' must be \(C, H, W\) or \(N,\)"),
    (put("layer/1/type", b"pool"), HardwareError, "/layer/1 is of type 'pool'; an input"),
    (put("layer/4/type", b"dense_rec"), HardwareError, "/layer/4 is of type 'dense_rec'"),
    (put("layer/1/type", 7), DataError, "'type' must be one string; it is int64"),
    (put("layer/0/type", None), DataError, "/layer/0: 'type' is missing"),
    (put("layer/0/neuron/type", b"CUBA"), HardwareError, "/layer/0 has neurons of its own"),
    (put("layer/0/shape", [2, 4, 9]), DataError, r"its weights give \(4, 4, 5\)"),
    (put("layer/1/neuron/type", b"SDNN"), HardwareError, "/layer/1/neuron is of type 'SDNN'"),
    (put("layer/1/neuron/messageBits", 8), HardwareError, "sends graded spikes"),
    (put("layer/1/neuron/vThMant", None), DataError, "/layer/1/neuron: 'vThMant' is missing"),
    (put("layer/1/neuron/vThMant", [1, 2]), DataError, r"'vThMant' must be one number of 0\.\."),
    (put("layer/1/neuron/vThMant", 1 << 18), PrecisionError, "vth must lie in"),
    (put("layer/1/neuron/iDecay", 0), PrecisionError, "du must lie in"),
    (put("layer/1/bias", [1, 2]), DataError, r"biases of \(2,\) do not fit neurons of \(4, 4, 3\)"),
    (put("layer/3", None), DataError, "'3' is missing"),
    (put("layer/3/type", b"input"), HardwareError, "/layer/3 is of type 'input'; an input \\(first of all\\)"),
    (put("layer/4/weight", np.ones((5, 9))), DataError, "linear layer over 9 inputs cannot read"),
    (put("layer/4/weight", np.ones((5, 8, 1, 1))), DataError, r"a full matrix must be \(N, M\)"),
    (put("layer/4/delay", np.ones((2, 2))), DataError, r"delays of \(2, 2\) do not fit weights of \(5, 8\)"),
    (put("layer/4/delay", -1), DataError, "delays must be 0 or more"),
    (put("snnface/names", np.array([b"conv", b"conv", b"full"])), DataError, "names must differ"),
    (put("snnface/names", np.array([b"conv"])), DataError, "must say one thing of each of 3 layers"),
    (put("snnface/names", np.arange(3)), DataError, "must say one thing of each of 3 layers"),
    (put("snnface/is_relay", None), DataError, "/snnface: 'is_relay' is missing"),
    (put("snnface/readout/weight", np.ones((2, 6))), DataError, "linear layer over 6 inputs"),
    (put("snnface/readout/bias", np.ones(3)), DataError, r"weights of \(2, 5\) and biases of \(3,\) are no readout"),
    (lambda file: file["snnface/readout"].attrs.update(leak=2.0), DataError, "leak must lie in"),
    (lambda file: file["snnface/readout"].attrs.update(leak="much"), DataError, "/snnface/readout: could not convert"),
    (
        lambda file: file["snnface"].attrs.update(input_bits=99),
        DataError,
        r"'input_bits' must be one number of 0\.\.16",
    ),
    (lambda file: file["snnface"].attrs.pop("input_bits"), DataError, "attribute 'input_bits' must be a whole number"),
    (links_out, DataError, "'weight' is a link to other data"),
    (lies_elsewhere, DataError, "'weight' lies in other files"),
    (is_huge, DataError, "unpacks to"),
]


@pytest.mark.parametrize(("change", "kind", "message"), BROKEN, ids=[message[:40] for _, _, message in BROKEN])
def test_a_broken_file_is_refused_in_one_line(
    written: Path, change: Callable[[h5py.File], None], kind: type[SnnfaceError], message: str
) -> None:
    with h5py.File(written, "r+") as file:
        change(file)
    with pytest.raises(kind, match=message) as caught:
        read_netx(written)
    assert "\n" not in str(caught.value)


def test_a_map_needs_a_flatten_layer_before_a_full_matrix(written: Path) -> None:
    with h5py.File(written, "r+") as file:
        del file["layer/3"]
        file.move("layer/4", "layer/3")
    with pytest.raises(DataError, match=r"/layer/3 reads the map \(4, 2, 1\) without a flatten layer"):
        read_netx(written)


def test_a_file_of_inputs_only_and_one_that_starts_with_a_convolution_are_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.net", "w") as file:
        file["layer/0/type"], file["layer/0/shape"] = b"input", [3]
    with pytest.raises(DataError, match="holds no layer of neurons"):
        read_netx(tmp_path / "a.net")
    with h5py.File(tmp_path / "a.net", "w") as file:
        file["layer/0/type"] = b"conv"
    with pytest.raises(DataError, match="what it reads must be a map"):
        read_netx(tmp_path / "a.net")


def test_a_last_layer_too_large_for_rates_as_answers_says_so(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.net", "w") as file:
        layer = file.create_group("layer/0")
        layer["type"], layer["shape"], layer["weight"] = b"dense", [9000], np.ones((9000, 1))
        neuron = layer.create_group("neuron")
        neuron["type"], neuron["iDecay"], neuron["vDecay"], neuron["vThMant"] = b"CUBA", 1, 0, 1
    with pytest.raises(DataError, match="the last layer has 9000 neurons, and nothing says what is read"):
        read_netx(tmp_path / "a.net")


def test_a_missing_a_foreign_and_a_cut_file_are_told_apart(written: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match="no file"):
        read_netx(written.parent / "none.net")
    data = written.read_bytes()
    written.write_bytes(b"not HDF5")
    with pytest.raises(DataError, match="is not a readable netx file"):
        read_netx(written)
    written.write_bytes(data[: len(data) // 2])
    with pytest.raises(DataError, match="is not a readable netx file"):
        read_netx(written)


def test_no_byte_of_a_damaged_file_brings_another_error(written: Path) -> None:
    data, draw = written.read_bytes(), np.random.default_rng(0)
    for _ in range(40):
        damaged = bytearray(data)
        for place in draw.integers(0, len(data), 8):
            damaged[place] = draw.integers(0, 256)
        written.write_bytes(damaged)
        with contextlib.suppress(SnnfaceError):
            read_netx(written)
