"""From trained networks to spiking graphs, NIR and integers.

Here stand the values and what needs NumPy alone. What needs torch or NIR is imported from
its own module, so that the command answers at once: `ann2snn`, `from_snn`, `simulate`,
`scale_search`, `fold_batchnorm`, `nir_export`, `nir_import`.
"""

from conversion.graph import (
    INPUT,
    Connection,
    Conv2dSynapse,
    LinearSynapse,
    Neuron,
    Population,
    Readout,
    SpikingGraph,
    Synapse,
)
from conversion.graph_io import load_graph, save_graph
from conversion.integer_graph import (
    DeltaNeuron,
    IntegerGraph,
    IntegerNeuron,
    IntegerPopulation,
    SigmaDeltaNeuron,
    SigmaNeuron,
    TernaryNeuron,
)
from conversion.quantize import QuantizeConfig, Quantized, QuantizedLayer, quantize
from conversion.spike_comparison import SpikeComparison, compare_spikes, mismatch_summary

__all__ = [
    "INPUT",
    "Connection",
    "Conv2dSynapse",
    "DeltaNeuron",
    "IntegerGraph",
    "IntegerNeuron",
    "IntegerPopulation",
    "LinearSynapse",
    "Neuron",
    "Population",
    "QuantizeConfig",
    "Quantized",
    "QuantizedLayer",
    "Readout",
    "SigmaDeltaNeuron",
    "SigmaNeuron",
    "SpikeComparison",
    "SpikingGraph",
    "Synapse",
    "TernaryNeuron",
    "compare_spikes",
    "load_graph",
    "mismatch_summary",
    "quantize",
    "save_graph",
]
