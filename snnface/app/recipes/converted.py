"""ResNet18 of single event pictures, to be converted into a spiking network: no paper's experiment, but its parts."""

from dataclasses import replace
from typing import Literal

from ann_baselines.per_frame import PerFrameConfig
from ann_baselines.resnet18 import ResNet18Config
from snnface.app.filmed_faces import FilmedFacesConfig
from snnface.app.recipes.micro_expression import micro_expression_units
from snnface.app.recipes.recipe import Recipe
from snnface.app.recipes.valence_arousal import valence_arousal
from snnface.events.window import Resolution
from snnface.faces.detection.face_crop import FaceCrop
from snnface.models.heads import MlpHeadConfig
from snnface.representations import HistogramConfig, TemporalBinaryConfig
from snnface.tasks.action_units import ActionUnitTaskConfig

__all__ = ["ResNetTask", "Shown", "resnet18_on_events"]

ResNetTask = Literal["valence-arousal", "micro-expression"]
Shown = Literal["tbr", "counts"]


def resnet18_on_events(task: ResNetTask, shown: Shown, *, is_quick: bool = False) -> Recipe:
    """ResNet18 a picture, of temporal binary representations (8 bits of 5 ms) or of polarity counts; quick: made small.

    Counts are not cut: so the parts of a picture's time add up to it, and a converted network can be shown the events
    themselves. Valence and arousal are answered in every picture; an action unit by the mean over a clip's.

    Source: Berlincioni et al. 2024, arXiv:2401.16058, sec. 4.1 (ResNet18 on TBR; valence and arousal of frames), and
    Mastropasqua et al. 2025, sec. 3 and 4.2 (units, counts of 33 ms). Neither converts a network; the latter has no
    ResNet18.
    Departs from the papers in: as `valence_arousal` and `micro_expression_units`; units by cross-entropy; an average
    pool in the stem, where ResNet18 has a maximum: a maximum of rates is none of spikes.
    """
    side = 32 if is_quick else 64
    size = Resolution(height=side, width=side)
    pictures = TemporalBinaryConfig(resolution=size) if shown == "tbr" else HistogramConfig(resolution=size)
    paper = valence_arousal("resnet18", is_quick=is_quick)
    if task == "micro-expression":
        units = micro_expression_units("c3d", "events", is_quick=is_quick)
        training = replace(units.training, learning_rate=1e-3, optimiser="adamw", weight_decay=0.01)
        paper = replace(
            units,
            encoder=paper.encoder,
            head=MlpHeadConfig(),
            task=ActionUnitTaskConfig(loss="cross_entropy"),
            training=training,
        )
    encoder, data = paper.encoder, paper.data
    assert isinstance(encoder, PerFrameConfig)
    assert isinstance(encoder.frame, ResNet18Config)
    assert isinstance(data, FilmedFacesConfig)
    return replace(
        paper,
        name=f"{task}-resnet18-{shown}{'-quick' if is_quick else ''}",
        source=f"{paper.source}; ResNet18 a picture",
        data=replace(data, crop=FaceCrop(size=side, is_moving=False)),
        representation=pictures,
        encoder=replace(encoder, frame=replace(encoder.frame, stem_pool="average")),
    )
