"""Every spiking network beside the conventional one of its task: no paper's table, but the sum of all three."""

from dataclasses import replace

from snnface.app.reproduction.published.cross_modal import ACCURACY
from snnface.app.reproduction.published.micro_expression import OPERATIONS, PARAMETERS
from snnface.app.reproduction.table import Claim, Column, Part, Row, Table

__all__ = ["TABLES"]

COSTS = (PARAMETERS, *OPERATIONS)
CCC = Column(metric="ccc", heading="CCC")
SSIM = Column(metric="ssim", heading="SSIM", decimals=4)


def _in_integers(column: Column) -> Column:
    """The same of the network as the chip has it."""
    return replace(column, metric=f"integers {column.metric}", heading=f"{column.heading} in the chip's integers")


def _pair(spiking: str, conventional: str, *, labels: tuple[str, str]) -> tuple[Row, ...]:
    return tuple(
        Row(label=label, recipe=recipe, further="operations")
        for label, recipe in zip(labels, (spiking, conventional), strict=True)
    )


UNITS = _pair(
    "micro-expression-snn-events", "micro-expression-c3d-events", labels=("PLIF conv-SNN: units", "3D-CNN: units")
)
VALENCE = _pair(
    "valence-arousal-snn",
    "valence-arousal-fusion",
    labels=("PLIF conv-SNN: valence, arousal", "ResNet+Fusion: valence, arousal"),
)


def _converted(recipe: str, *, shown: str, answers: str) -> tuple[Row, ...]:
    """ResNet18 of single pictures, and the spiking network that is made of it."""
    return (
        Row(label=f"ResNet18, {shown}: {answers}", recipe=recipe, further="operations"),
        Row(label=f"converted ResNet18, {shown}, T = 8: {answers}", recipe=recipe, further="conversion"),
    )


UNITS_CONVERTED = (
    *_converted("micro-expression-resnet18-tbr", shown="TBR", answers="units"),
    *_converted("micro-expression-resnet18-counts", shown="counts", answers="units"),
)
VALENCE_CONVERTED = (
    *_converted("valence-arousal-resnet18-tbr", shown="TBR", answers="valence, arousal"),
    *_converted("valence-arousal-resnet18-counts", shown="counts", answers="valence, arousal"),
)
BOTH = _pair(
    "cross-modal-snn",
    "cross-modal-resnet-lstm",
    labels=("PLIF conv-SNN: units and shape", "ResNet18+LSTM: units and shape"),
)
PICTURES = _pair(
    "micro-expression-snn-davis",
    "micro-expression-cvae-davis",
    labels=("spiking reconstruction: pictures", "conditional VAE: pictures"),
)

SUMMARY = Table(
    name="spiking/summary",
    title="Every spiking network beside the conventional one of its task",
    source="no paper has this table; the networks are those of the three, and their spiking counterparts",
    data="that of each paper",
    parts=(
        Part(
            title="Action units of micro-expressions",
            columns=(ACCURACY[0], _in_integers(ACCURACY[0]), *COSTS),
            rows=(*UNITS, *UNITS_CONVERTED),
        ),
        Part(
            title="Valence and arousal",
            columns=(
                Column(metric="rmse_valence", heading="Valence RMSE", better="lower"),
                Column(metric="rmse_arousal", heading="Arousal RMSE", better="lower"),
                CCC,
                _in_integers(CCC),
                *COSTS,
            ),
            rows=(*VALENCE, *VALENCE_CONVERTED),
        ),
        Part(
            title="Posed action units and the shape of the face",
            columns=(
                ACCURACY[0],
                _in_integers(ACCURACY[0]),
                Column(metric="r2", heading="Shape, explained variance"),
                *COSTS,
            ),
            rows=BOTH,
        ),
        Part(
            title="Pictures from events",
            columns=(
                SSIM,
                _in_integers(SSIM),
                Column(metric="psnr", heading="PSNR", decimals=2, unit="dB"),
                *COSTS,
            ),
            rows=PICTURES,
        ),
    ),
    claims=(
        Claim(
            says="the spiking network is better than the 3D-CNN at action units",
            better=UNITS[0].label,
            worse=UNITS[1].label,
            metric="top1",
        ),
    ),
    claimant="Wanted",
    departs=(
        "synaptic operations of a spiking network are additions, one for each spike and connection; "
        "multiply-accumulates of it are those of its first layer, which reads counts.",
        "of a conventional network every multiply-accumulate is counted, of zeros too and of padding not; what cannot "
        "be counted stands among the notes.",
        "the spiking network of valence and arousal is shown polarity counts of 33 ms, which a chip can be fed, and "
        "ResNet+Fusion the 8-bit representation of 40 ms.",
        "a converted ResNet18 sees each picture for 8 steps from a fresh state, a held picture of TBR or the events "
        "that counts are of, and was tuned to the answers of its ResNet18, whose stem has an average pool in place of "
        "the maximum. Its multiply-accumulates are those of the first layer, of a held picture all of them, once.",
        "the spiking reconstruction is shown a picture of the clip's beginning too, the conditional VAE is not.",
    ),
)

TABLES = (SUMMARY,)
