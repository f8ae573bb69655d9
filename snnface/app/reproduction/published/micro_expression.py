"""Mastropasqua et al. 2025, "Exploring Spatial-Temporal Dynamics in Event-based Facial Micro-Expression Analysis"."""

from dataclasses import replace

from snnface.app.reproduction.table import Claim, Column, Part, Row, Table

__all__ = ["OPERATIONS", "PARAMETERS", "TABLES"]

PAPER = "Mastropasqua et al. 2025, Exploring Spatial-Temporal Dynamics in Event-based Facial Micro-Expression Analysis"

PARAMETERS = Column(metric="parameters", heading="Parameters", better=None, factor=1 / 2**20, decimals=2, unit="x 2^20")
"""The table's "M": the architecture of sec. 4.3 has 4 311 748 = 4.11 x 2^20 parameters."""

OPERATIONS = (
    Column(metric="synops", heading="Synaptic operations", better="lower", factor=1e-6, decimals=2, unit="M a clip"),
    Column(metric="macs", heading="Multiply-accumulates", better="lower", factor=1e-6, decimals=2, unit="M a clip"),
)
"""What an answer costs; no paper says it."""

SELECTION = (
    "the paper names no validation subjects: some are drawn from the training part, and weights are chosen by them."
)
SNN = ("the neuron fires above its threshold, not at it, as the chips here do.",)
C3D = ("the paper gives nothing of the 3D-CNN but its size, which the widths here are chosen to meet.",)

_UNITS = (
    Row(
        label="SNN, events",
        published={"parameters": 4.11, "top1": 51.23, "top3": 63.57},
        recipe="micro-expression-snn-events",
        departs=SNN,
    ),
    Row(
        label="SNN, rgb",
        published={"parameters": 4.11, "top1": 23.12, "top3": 25.57},
        recipe="micro-expression-snn-rgb",
        departs=SNN,
    ),
    Row(
        label="3DCNN, events",
        published={"parameters": 13.06, "top1": 44.89, "top3": 56.46},
        recipe="micro-expression-c3d-events",
        departs=C3D,
    ),
    Row(
        label="3DCNN, rgb",
        published={"parameters": 13.06, "top1": 17.06, "top3": 21.76},
        recipe="micro-expression-c3d-rgb",
        departs=C3D,
    ),
)

TABLE5 = Table(
    name="micro-expression/table5",
    title="Action units by a spiking network and a 3D-CNN, from events and from RGB frames",
    source=f"{PAPER}, table 5",
    data="7 people, 21 action units: a DAVIS346 and a webcam",
    parts=(
        Part(
            title="Accuracy",
            columns=(
                PARAMETERS,
                Column(metric="top1", heading="Accuracy", factor=100, decimals=2, unit="%"),
                Column(metric="top3", heading="Top-3", factor=100, decimals=2, unit="%"),
            ),
            rows=_UNITS,
        ),
    ),
    claims=tuple(
        Claim(says=says, better=better, worse=worse, metric="top1")
        for says, better, worse in (
            ("the SNN learns more from events than from RGB", "SNN, events", "SNN, rgb"),
            ("the 3D-CNN learns more from events than from RGB", "3DCNN, events", "3DCNN, rgb"),
            ("the SNN is better than the 3D-CNN on events", "SNN, events", "3DCNN, events"),
            ("the SNN is better than the 3D-CNN on RGB", "SNN, rgb", "3DCNN, rgb"),
        )
    ),
    departs=(SELECTION,),
    figures={"SNN, events": ("confusion_action_unit",)},
)

_PICTURES = (
    Column(metric="mse", heading="MSE", better="lower", decimals=4),
    Column(metric="rmse", heading="RMSE", better="lower", decimals=4),
    Column(metric="mae", heading="MAE", better="lower", decimals=4),
    Column(metric="psnr", heading="PSNR", decimals=2, unit="dB"),
    Column(metric="ssim", heading="SSIM", decimals=4),
    Column(metric="ncc", heading="NCC", decimals=4),
)


def _numbers(*values: float) -> dict[str, float]:
    return {"parameters": 289} | {column.metric: value for column, value in zip(_PICTURES, values, strict=True)}


_CVAE = (
    "the paper's decoder is given no picture to start from; neither is ours, so faces of strangers come out blurred.",
    "the earlier picture stands among the answers without a network because the spiking network is shown it; the "
    "autoencoder never is, and is set against the constant and the mean answer alone.",
    "in the test the latent code is 0, the mean of its prior: the paper does not say how it is drawn.",
    "counts of events are shown as log(1 + n), and the divergence weighs 0.005 beside the pixels' squared error: the "
    "paper gives neither.",
)

_AUTOENCODERS = (
    Row(
        label="DAVIS346",
        published=_numbers(0.0034, 0.0566, 0.0399, 25.31, 0.7717, 0.9613),
        recipe="micro-expression-cvae-davis",
        further="operations",
        departs=_CVAE,
    ),
    Row(
        label="EVK4",
        published=_numbers(0.0024, 0.0471, 0.0340, 26.89, 0.8513, 0.9744),
        recipe="micro-expression-cvae-evk4",
        further="operations",
        departs=_CVAE,
    ),
)

TABLE6 = Table(
    name="micro-expression/table6",
    title="A picture of the face from events, by a conditional autoencoder",
    source=f"{PAPER}, table 6",
    data="the same people: a DAVIS346, or an EVK4 of 1280x720 for three of them; grey webcam frames as truth",
    parts=(
        Part(
            title="Pictures",
            columns=(PARAMETERS, *OPERATIONS, *_PICTURES),
            rows=(
                *_AUTOENCODERS,
                Row(
                    label="DAVIS346, spiking, from an earlier picture",
                    recipe="micro-expression-snn-davis",
                    further="operations",
                    departs=("the paper has no such row: a spiking network is shown the clip's first picture too.",),
                ),
            ),
        ),
        Part(
            title="Shown the picture, as such networks are often judged; no reconstruction from events",
            columns=tuple(replace(column, metric=f"shown_{column.metric}") for column in _PICTURES),
            rows=_AUTOENCODERS,
        ),
    ),
    claims=(Claim(says="the finer sensor gives better pictures", better="EVK4", worse="DAVIS346", metric="ssim"),),
    departs=(
        "the paper does not say how its clips are divided: into three folds by subject here.",
        "nor does it say whether its encoder saw the picture in the test: the first part is of encoders that did not, "
        "the second of the same networks when theirs do.",
        SELECTION,
        "operations are of an answer in the test, in which the autoencoder's encoder rests; the paper counts none.",
    ),
    figures=dict.fromkeys(("DAVIS346", "EVK4", "DAVIS346, spiking, from an earlier picture"), ("picture_strips",)),
)

TABLES = (TABLE5, TABLE6)
