"""What a network's neurons say to each other that a chip cannot carry: graded or signed messages, long delays."""

from collections.abc import Iterator

from conversion.graph import SpikingGraph
from conversion.integer_graph import IntegerGraph
from hardware.target import HardwareTarget

__all__ = ["message_reasons"]


def message_reasons(graph: SpikingGraph | IntegerGraph, target: HardwareTarget) -> Iterator[str]:
    """A sentence for each thing in the network's messages that `target` cannot carry."""
    if not isinstance(graph, IntegerGraph):
        return
    if graph.input_bits > target.input_bits:
        takes = "binary spikes only" if target.input_bits == 0 else f"{target.input_bits} bits"
        yield f"the input is counts of {graph.input_bits} bits; this chip takes {takes}"
    for population in graph.populations:
        neuron = population.neuron
        if not neuron.is_binary:
            # The sign takes a bit; where only a run can tell how large messages get, one bit more must be enough.
            bits = 1 + (neuron.largest_message or 1).bit_length()
            if bits > target.message_bits:
                yield (
                    f"{population.name}: a {type(neuron).__name__} sends numbers with a sign; this chip sends "
                    + ("single bits" if target.message_bits == 0 else f"{target.message_bits} bits")
                )
        for link in population.inputs:
            latest = 0 if link.delay is None else int(link.delay.max(initial=0))
            if target.max_delay is not None and latest > target.max_delay:
                yield (
                    f"{population.name}: weights from {link.source} act {latest} steps late; this chip can wait for "
                    f"{target.max_delay}"
                )
