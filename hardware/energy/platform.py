"""M2: what the published energies per event of a neuromorphic chip add up to."""

from dataclasses import fields

from hardware.counts.operation_counts import NetworkOperations
from hardware.energy.constants import PlatformEnergy
from hardware.energy.estimate import EnergyEstimate, Parts, estimate

__all__ = ["platform_energy"]

PLATFORM = "M2 platform"


def platform_energy(operations: NetworkOperations, platform: PlatformEnergy) -> EnergyEstimate:
    """M2 of a spiking network; relays are on the chip, the readout is not.

    E = e_synop touched + e_active active + e_idle (updates - active) + (e_spike + hops e_hop) spikes

    Low: zero weights not stored, no hops. Central: two hops. High: four hops in the dear
    direction, and leaky neurons count as active at every step.
    """
    low, central, high = Parts(), Parts(), Parts()
    hop = (platform.hop_low_j + platform.hop_high_j) / 2
    for layer in operations.layers:
        if layer.kind in ("readout", "analogue"):
            continue
        touched = {"synops": layer.mean("synops"), "macs": layer.mean("macs")}
        stored = {"synops_nonzero": layer.mean("synops_nonzero"), "macs_nonzero": layer.mean("macs_nonzero")}
        active, updates = layer.mean("updates_active"), layer.mean("updates_dense")
        for parts, events, awake, spike_j in (
            (low, stored, active, platform.spike_j),
            (central, touched, active, platform.spike_j + 2 * hop),
            (high, touched, updates if layer.num_decays else active, platform.spike_j + 4 * platform.hop_high_j),
        ):
            parts.add("synaptic events", platform.synop_j, **events)
            parts.add("active updates", platform.update_active_j, updates_active=awake)
            parts.add("idle updates", platform.update_idle_j, updates_idle=updates - awake)
            parts.add("spikes", spike_j, spikes=layer.mean("spikes"))
    return estimate(
        low,
        central,
        high,
        model=f"{PLATFORM}: {platform.name}",
        workload="SNN",
        node=platform.node,
        precision="-",
        scope="populations and relays; low: zero weights not stored, no hops; high: 4 hops, leaky always active",
        source=platform.source,
        grade=platform.grade,
        constants={
            field.name.removesuffix("_j").replace("_", " "): getattr(platform, field.name)
            for field in fields(platform)
            if field.name.endswith("_j")
        },
        not_counted=(
            "readout on the host",
            "barrier synchronisation",
            "the width of graded input (each count is charged as one binary event)",
        ),
    )
