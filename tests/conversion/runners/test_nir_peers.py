"""The exported normal form in other tools: snntorch and norse give the same spikes, or are known not to.

Where weights are multiples of 1/64 and leaks 1/2, their float32 computes exactly what the
float64 simulator does, ties included.
"""

from dataclasses import replace

import nir
import numpy as np
import pytest

from conversion.graph import Neuron
from conversion.nir_export import nir_from_graph, write_nir
from conversion.run_comparison import compare_runs
from conversion.runners.graph_runner import GraphRunner
from conversion.runners.nir_peers import open_norse, open_snntorch
from snnface.errors import ConversionError

OPENERS = {"snntorch": open_snntorch, "norse": open_norse}


def compared(tool: str, graph, inputs, path, *, dt_s: float = 1e-4):
    pytest.importorskip(tool)
    write_nir(graph, path, dt_s=dt_s)
    return compare_runs(GraphRunner(graph).run(inputs), OPENERS[tool](path, None).run(inputs))


@pytest.mark.parametrize(
    ("tool", "options"),
    [
        ("snntorch", {"leak": 0.5, "step": 1 / 64}),
        ("snntorch", {"leak": 0.5, "step": 1 / 64, "residual": True}),
        ("snntorch", {"leak": 0.3, "residual": True}),
        ("norse", {"leak": 0.5, "step": 1 / 64}),
        ("norse", {"leak": 0.0, "step": 1 / 64}),
    ],
)
def test_peers_send_the_same_spikes_in_every_population(tool, options, small_graph, input_spikes, tmp_path):
    found = compared(tool, small_graph(11, **options), input_spikes, tmp_path / "g.nir")
    assert [(c.population, c.num_differing) for c in found.populations] == [
        ("conv", 0), ("pool", 0), ("second", 0), ("full", 0)
    ]  # fmt: skip
    assert min(c.num_spikes_a for c in found.populations) > 10
    assert found.answers[0].relative_difference < 1e-6
    assert found.notes == ()


def test_norse_takes_the_step_of_the_file_and_snntorch_its_own(small_graph, input_spikes, tmp_path):
    graph = small_graph(11, leak=0.5, step=1 / 64)
    assert compared("norse", graph, input_spikes, tmp_path / "g.nir", dt_s=1e-3).is_identical
    found = compared("snntorch", graph, input_spikes, tmp_path / "g.nir", dt_s=1e-3)
    assert not found.is_identical
    assert found.notes == ("snntorch 1.0.0 takes a step of 0.0001 s whatever the file says; here it is 0.001",)


def test_where_norse_is_known_to_be_wrong_it_says_so(small_graph, input_spikes, tmp_path):
    found = compared("norse", small_graph(11, residual=True), input_spikes, tmp_path / "g.nir")
    assert not found.is_identical
    assert "norse 1.1.0 gives wrong spikes where several edges end in one node (n07_lif)" in found.notes


@pytest.mark.parametrize(
    ("tool", "neuron", "reason"),
    [
        (
            "snntorch",
            Neuron(leak=0.0, threshold=1.0),
            "snntorch .* does not run this file: r != 1 not supported. Known: .* beta 0.9",
        ),
        ("snntorch", Neuron(leak=0.0, threshold=1.0, reset="subtract"), "Unknown node type .*neuron.I'"),
        (
            "norse",
            Neuron(leak=0.0, threshold=1.0, reset="subtract"),
            "norse .* does not run this file: it knows no I .n09_i. and would leave it out",
        ),
    ],
)
def test_what_a_peer_does_not_take_is_said_in_its_words(tool, neuron, reason, small_graph, input_spikes, tmp_path):
    graph = small_graph(11)
    last = replace(graph.populations[-1], neuron=neuron)
    with pytest.raises(ConversionError, match=reason):
        compared(tool, replace(graph, populations=(*graph.populations[:-1], last)), input_spikes, tmp_path / "g.nir")


def test_a_leaky_readout_is_refused_by_both_and_left_out_by_neither(small_graph, input_spikes, tmp_path):
    graph = small_graph(11)
    leaky = replace(graph, readout=replace(graph.readout, leak=0.5))
    with pytest.raises(ConversionError, match=r"snntorch .* does not run this file: Unknown node type .*neuron.LI'"):
        compared("snntorch", leaky, input_spikes, tmp_path / "g.nir")
    with pytest.raises(ConversionError, match=r"norse .* it knows no LI \(n10_li\) and would leave it out"):
        compared("norse", leaky, input_spikes, tmp_path / "g.nir")


def test_what_norse_would_leave_out_of_an_inner_graph_is_refused_too(input_spikes, tmp_path):
    pytest.importorskip("norse")
    shape = np.array(input_spikes.shape[2:])
    leaky = nir.LI(tau=np.ones(shape), r=np.ones(shape), v_leak=np.zeros(shape))
    ends = {"input": nir.Input(input_type={"input": shape}), "output": nir.Output(output_type={"output": shape})}
    inner = nir.NIRGraph(nodes={**ends, "held": leaky}, edges=[("input", "held"), ("held", "output")])
    nodes = nir.NIRGraph(
        nodes={**ends, "inner": inner}, edges=[("input", "inner"), ("inner", "output")], metadata={"dt": 1e-4}
    )
    nir.write(str(tmp_path / "g.nir"), nodes)
    with pytest.raises(ConversionError, match=r"it knows no LI \(held\) and would leave it out"):
        open_norse(tmp_path / "g.nir", None).run(input_spikes)


def test_an_integrator_in_snntorch_is_known_to_be_leaky_and_foreign_r_and_resets_to_be_ignored(small_graph, tmp_path):
    pytest.importorskip("snntorch")
    pytest.importorskip("norse")
    nodes = nir_from_graph(small_graph(leak=0.0))
    for name in ("n02_if", "n09_if"):
        nodes.nodes[name].r = np.ones_like(nodes.nodes[name].r)
        nodes.nodes[name].v_reset = np.full_like(nodes.nodes[name].v_reset, -0.5)
    nir.write(str(tmp_path / "g.nir"), nodes)
    assert open_snntorch(tmp_path / "g.nir", None).notes == (
        "snntorch 1.0.0 makes of an IF a leaky neuron with beta 0.9 and soft reset (n02_if, n06_if, n09_if)",
        "snntorch 1.0.0 resets to 0 whatever v_reset says (n02_if, n09_if)",
    )
    assert open_norse(tmp_path / "g.nir", None).notes == (
        "norse 1.1.0 ignores r and the step of an IF (n02_if, n09_if)",
        "norse 1.1.0 ignores v_reset (n02_if, n09_if)",
    )


def test_importers_print_and_warn_nothing(small_graph, input_spikes, tmp_path, capsys, recwarn):
    compared("snntorch", small_graph(11, leak=0.3), input_spikes, tmp_path / "g.nir")
    compared("norse", small_graph(11, leak=0.3), input_spikes, tmp_path / "g.nir")
    assert capsys.readouterr() == ("", "")
    assert len(recwarn) == 0
