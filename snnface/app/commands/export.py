"""`snnface export RUN --out model.nir`"""

from dataclasses import dataclass
from pathlib import Path

import tyro

from conversion.from_snn import graph_from_model
from conversion.nir_export import DEFAULT_DT_S, write_nir
from snnface.app.options import Maybe, parse
from snnface.app.run import load_run
from snnface.errors import ConfigError

__all__ = ["main"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """Write a trained spiking network as a NIR file that snntorch and norse read with the same spikes."""

    run: tyro.conf.Positional[Path]
    """A run folder made by `snnface train`."""
    out: Path
    """The .nir file to write."""
    head: Maybe[str] = None
    """What the graph answers, of a network that answers several things; default: the first, as in `snnface deploy`."""
    dt_s: float = DEFAULT_DT_S
    """Length of one step in seconds, which turns leaks into time constants."""


def main(arguments: list[str]) -> None:
    options = parse(Options, arguments, verb="export")
    if options.out.suffix != ".nir":
        raise ConfigError(
            f"the graph is written as a .nir file; got {options.out.name!r}. Name it {options.out.stem}.nir."
        )
    recipe, model = load_run(options.run)
    graph = graph_from_model(model, head=options.head or recipe.task.target)
    write_nir(graph, options.out, dt_s=options.dt_s)
    num_neurons = sum(population.num_neurons for population in graph.populations)
    print(f"{options.out}: {len(graph.populations)} populations, {num_neurons} neurons, dt {options.dt_s:g} s")
