"""Shapes of NIR graphs: any convolution as torch computes it, and declared shapes that must be those that arrive."""

from itertools import pairwise

import nir
import numpy as np
import pytest
import torch
from torch.nn import functional

from conversion.nir_import import graph_from_nir
from conversion.simulate import apply_synapse
from snnface.errors import ConversionError, UnsupportedLayerError


def graph_of(*nodes: nir.NIRNode) -> nir.NIRGraph:
    names = [f"n{index:02d}" for index in range(len(nodes))]
    edges = list(pairwise(names))
    return nir.NIRGraph(dict(zip(names, nodes, strict=True)), edges, metadata={"dt": 1e-4}, type_check=False)


def source(*shape: int) -> nir.Input:
    return nir.Input(input_type={"input": np.array(shape)})


def sink(*shape: int) -> nir.Output:
    return nir.Output(output_type={"output": np.array(shape)})


def integrators(*shape: int) -> nir.IF:
    return nir.IF(r=np.full(shape, 1e4), v_threshold=np.ones(shape), v_reset=np.zeros(shape))


def conv(weight, *, declared=(7, 6), stride=1, padding=0, dilation=1, groups=1) -> nir.Conv2d:
    node = nir.Conv2d(None, weight, stride, padding, dilation, groups, np.arange(float(len(weight))))
    node.input_shape = declared
    return node


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning")
@pytest.mark.parametrize(
    ("kernel", "options"),
    [
        ((1, 5), {"padding": (0, 2)}),
        ((4, 2), {"stride": (2, 1), "padding": (1, 0)}),
        ((3, 2), {"dilation": (1, 2), "padding": (2, 1)}),
        ((3, 3), {"padding": "same"}),
        ((2, 3), {"padding": "same"}),
        ((2, 4), {"padding": "same"}),
        ((3, 3), {"padding": "same", "dilation": (2, 2)}),
        ((3, 2), {"padding": "valid"}),
        ((3, 2), {"groups": 2}),
    ],
)
def test_every_convolution_is_the_one_of_torch(kernel, options):
    generator = np.random.default_rng(0)
    weight = generator.normal(size=(6, 4 // options.get("groups", 1), *kernel))
    pictures = torch.as_tensor(generator.normal(size=(2, 4, 7, 6)))
    expected = functional.conv2d(pictures, torch.as_tensor(weight), torch.arange(6, dtype=torch.float64), **options)
    shape = tuple(expected.shape[1:])
    graph = graph_from_nir(graph_of(source(4, 7, 6), conv(weight, **options), integrators(*shape), sink(*shape)))
    found = apply_synapse(graph.populations[0].inputs[0].synapse, pictures)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


def test_padding_that_no_pair_of_numbers_gives_is_refused():
    weight = np.ones((1, 4, 2, 3))
    with pytest.raises(UnsupportedLayerError, match="padding 'same' of node 'n01' is not the same on both sides"):
        graph_from_nir(
            graph_of(source(4, 7, 6), conv(weight, padding="same", dilation=3), integrators(1, 7, 6), sink(42))
        )


def flatten(*declared: int) -> nir.Flatten:
    return nir.Flatten(input_type={"input": np.array(declared)}, start_dim=0, end_dim=-1)


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        (
            [source(4, 7, 6), conv(np.ones((1, 4, 3, 3)), declared=(6, 7)), integrators(1, 5, 4), sink(20)],
            r"node 'n01' declares a shape of \(6, 7\); \(7, 6\) arrives",
        ),
        (
            [source(2, 4, 4), flatten(2, 4, 5), nir.Linear(np.ones((3, 32))), integrators(3), sink(3)],
            r"node 'n01' declares a shape of \(2, 4, 5\); \(2, 4, 4\) arrives",
        ),
        (
            [source(1, 7, 6), conv(np.ones((1, 1, 3, 3))), integrators(1, 5, 5), sink(25)],
            r"r of node 'n02' is for \(1, 5, 5\) neurons; \(1, 5, 4\) currents arrive",
        ),
        (
            [source(3), nir.Linear(np.ones((2, 3))), integrators(2), nir.Linear(np.ones((4, 2))), sink(5)],
            r"node 'n04' declares a shape of \(5,\); \(4,\) arrives",
        ),
    ],
)
def test_a_declared_shape_that_does_not_arrive_is_refused_where_it_stands(nodes, message):
    with pytest.raises(ConversionError, match=message):
        graph_from_nir(graph_of(*nodes))


def test_a_shape_is_declared_behind_a_pool_as_what_the_pool_leaves():
    pool = nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0]))
    nodes = [source(2, 4, 6), pool, flatten(2, 2, 3), nir.Linear(np.ones((3, 12))), integrators(3), sink(3)]
    assert graph_from_nir(graph_of(*nodes)).populations[0].shape == (3,)
    with pytest.raises(ConversionError, match=r"node 'n02' declares a shape of \(2, 4, 6\); \(2, 2, 3\) arrives"):
        graph_from_nir(graph_of(*nodes[:2], flatten(2, 4, 6), *nodes[3:]))


@pytest.mark.parametrize(
    ("node", "advice"),
    [
        (nir.Delay(np.ones(2)), "'n01' is Delay; .* train without"),
        (nir.Conv1d(2, np.ones((1, 1, 1)), 1, 0, 1, 1, np.zeros(1)), "'n01' is Conv1d; .* a kernel of one row"),
        (nir.I(np.ones(2)), "'n01' is I; .* the Scale that feeds its reset back"),
        (nir.Threshold(np.ones(2)), "'n01' is Threshold; .* a LIF with tau equal to the time step"),
        (nir.CubaLI(*[np.ones(2)] * 5), "'n01' is CubaLI; .* with an LI readout"),
        (nir.NIRGraph({"x": source(2), "y": sink(2)}, [("x", "y")]), "'n01' is NIRGraph; .* into the outer one"),
    ],
)
def test_a_node_without_a_counterpart_is_refused_with_what_to_do(node, advice):
    with pytest.raises(UnsupportedLayerError, match=advice):
        graph_from_nir(graph_of(source(2), node, integrators(2), sink(2)))
