"""Mastropasqua et al. 2025, "Exploring Spatial-Temporal Dynamics in Event-based Facial Micro-Expression Analysis"."""

from dataclasses import replace
from typing import Literal

from ann_baselines.c3d import C3dConfig
from ann_baselines.cvae import ConditionalVaeConfig
from snnface.app.filmed_faces import FilmedFacesConfig
from snnface.app.recipes.recipe import Recipe
from snnface.app.recipes.small_sets import FEW_UNITS, MIRRORED, SMALL_PICTURES, small_set
from snnface.datasets.augmentation import AugmentationConfig
from snnface.datasets.protocols import LeaveOneSubjectOutConfig, SplitConfig, SubjectFoldsConfig
from snnface.datasets.synthesis.presets import preset_named
from snnface.datasets.synthetic import SyntheticFacesConfig
from snnface.events.window import Resolution
from snnface.faces.detection.face_crop import FaceCrop
from snnface.models.heads import MlpHeadConfig, VotingHeadConfig
from snnface.models.reconstruction import SpikingReconstructionConfig
from snnface.representations import HistogramConfig, PlainFramesConfig
from snnface.spiking.encoder import ConvSnnConfig
from snnface.spiking.residual import SewResNetConfig
from snnface.tasks.reconstruction import ReconstructionTaskConfig
from snnface.training.optim import TrainingConfig

__all__ = [
    "demo_c3d",
    "demo_plif",
    "demo_sew",
    "micro_expression_c3d",
    "micro_expression_pictures",
    "micro_expression_plif",
    "micro_expression_units",
    "reconstruction_cvae",
    "reconstruction_plif",
]


PAPER = "Mastropasqua et al. 2025"
SMALL_FACES = FilmedFacesConfig(
    source=small_set("micro", action_units=FEW_UNITS, num_identities=16, clip_ms=990, cameras=("davis", "davis_frames"))
)
# More people and shorter takes: what is learned from ten people carries over to hardly anybody else.
TABLE_FACES = FilmedFacesConfig(
    source=small_set("micro", action_units=FEW_UNITS, num_identities=48, clip_ms=660, cameras=("davis", "davis_frames"))
)
# Two units before both sensors: a quarter of the EVK4's pixels, whose takes are the slowest to film. People are
# not saved on: how many faces are known decides how well another one is told (7, 14 and 28 of them, by ridge
# regression from events to pictures: SSIM 0.74, 0.79, 0.81), and takes of one person are much alike.
PICTURE_FACES = FilmedFacesConfig(
    source=small_set(
        "micro",
        action_units=(12, 26),
        num_identities=120,
        num_evk4=None,
        clip_ms=660,
        cameras=("davis", "evk4", "davis_frames"),
        evk4=Resolution(height=360, width=640),
    )
)
# Everybody is tested, by four trainings: two of one recipe end up to ten points apart, and of two dozen people a few
# decide which row comes first.
UNITS_FOLDS = SubjectFoldsConfig(num_folds=4, validation_subjects=6)
PICTURES_SPLIT = SplitConfig(validation_subjects=12, test_subjects=24)


def demo_plif() -> Recipe:
    """The micro-expression network at a size that trains in a minute on two cores.

    Source: Mastropasqua et al. 2025, "Exploring Spatial-Temporal Dynamics in Event-based
    Facial Micro-Expression Analysis", sec. 4.3.
    Departs from the paper in: synthetic faces, 8 action units, 32 x 32 pictures, 16 and 32
    maps, 128 and 80 features, counts cut at 15, 20 epochs.
    """
    return Recipe(
        name="demo-plif",
        source="Mastropasqua et al. 2025, sec. 4.3, made small; synthetic faces",
        data=SyntheticFacesConfig(),
        representation=SMALL_PICTURES,
        encoder=ConvSnnConfig(channels=(16, 32), features=(128, 80)),
        training=TrainingConfig(num_epochs=20, batch_size=16, learning_rate=3e-3),
    )


def demo_c3d() -> Recipe:
    """The 3D-CNN baseline on the same data, split and pictures as `demo_plif`.

    Source: Mastropasqua et al. 2025, sec. 5 (after Tran et al. 2015, arXiv:1412.0767).
    Departs from the paper in: as `demo_plif`; 16, 32 and 64 maps.
    """
    spiking = demo_plif()
    return Recipe(
        name="demo-c3d",
        source="Mastropasqua et al. 2025, sec. 5, made small; synthetic faces",
        data=spiking.data,
        split=spiking.split,
        representation=spiking.representation,
        encoder=C3dConfig(channels=((16,), (32,), (64,))),
        head=MlpHeadConfig(),
        training=TrainingConfig(num_epochs=20, batch_size=16, learning_rate=1e-3),
    )


def demo_sew() -> Recipe:
    """The residual spiking network on the same data, split and pictures as `demo_plif`.

    Source: Fang et al. 2021, "Deep Residual Learning in Spiking Neural Networks", arXiv:2102.04159, sec. 4 (SEW
    blocks that add).
    Departs from the paper in: one block a stage, 32 x 32 pictures of faces instead of ImageNet or gestures.
    """
    spiking = demo_plif()
    return replace(
        spiking,
        name="demo-sew",
        source="Fang et al. 2021, arXiv:2102.04159, sec. 4, made small; synthetic faces",
        encoder=SewResNetConfig(stem=16, stages=(32, 32), features=(80,)),
    )


def micro_expression_plif() -> Recipe:
    """The PLIF conv-SNN of the micro-expression paper, whole, on synthetic faces.

    Source: Mastropasqua et al. 2025, sec. 3 (21 action units, about 510 clips of 2.5 s), 4.3
    and 5, table 5 (event row).
    Departs from the paper in: the recordings are not public, so synthetic faces stand in
    (25 subjects, one posed clip a unit of 2.77 s); one split by subjects instead of
    leave-one-out.
    """
    return Recipe(
        name="micro-expression-plif",
        source="Mastropasqua et al. 2025, sec. 4.3 and 5, table 5; synthetic faces in place of the recordings",
        data=SyntheticFacesConfig(
            action_units=(2, 4, 5, 6, 9, 12, 15, 17, 23, 26, 41, 43, 45, 51, 52, 53, 54, 61, 62, 63, 64),
            clips_per_action_unit=1,
            clip_ms=2772,
            regime="posed",
        ),
        training=TrainingConfig(num_epochs=100, batch_size=8, learning_rate=1e-3),
    )


def micro_expression_c3d() -> Recipe:
    """The 3D-CNN of the micro-expression paper (13.06 x 2^20 parameters), whole, on synthetic faces.

    Source: Mastropasqua et al. 2025, sec. 5, table 5 (3DCNN row).
    Departs from the paper in: as `micro_expression_plif`; the layer widths are chosen to meet
    the published parameter count, which is all that the paper says of them.
    """
    spiking = micro_expression_plif()
    return Recipe(
        name="micro-expression-c3d",
        source="Mastropasqua et al. 2025, sec. 5, table 5; synthetic faces in place of the recordings",
        data=spiking.data,
        encoder=C3dConfig(),
        head=MlpHeadConfig(hidden=(368,)),
        training=TrainingConfig(num_epochs=100, batch_size=8, learning_rate=1e-4),
    )


def reconstruction_plif() -> Recipe:
    """The face now, from its events and a picture a third of a second ago, by a spiking network.

    Source: Mastropasqua et al. 2025, "Exploring Spatial-Temporal Dynamics in Event-based Facial Micro-Expression
    Analysis", sec. 4.4 and table 6 (the task and its metrics); the paper has no spiking network.
    Departs from the paper in: synthetic people before a DAVIS of 173 x 130 pixels, faces cut to 32 x 32, eight
    action units, windows of ten event pictures, a reference picture, one split by subjects.
    """
    return Recipe(
        name="reconstruction-plif",
        source="Mastropasqua et al. 2025, sec. 4.4, table 6; a spiking net, a reference picture, synthetic faces",
        data=replace(SMALL_FACES, frames="davis_frames", window_steps=10),
        representation=SMALL_PICTURES,
        encoder=SpikingReconstructionConfig(),
        task=ReconstructionTaskConfig(),
        training=TrainingConfig(num_epochs=30, batch_size=16, learning_rate=3e-3),
    )


def reconstruction_cvae() -> Recipe:
    """The conditional autoencoder of the micro-expression paper on the data of `reconstruction_plif`.

    Source: Mastropasqua et al. 2025, sec. 4.4 and 5 (two convolutions, 32 latent numbers, MSE and divergence).
    Departs from the paper in: as `reconstruction_plif`; 16 and 32 maps, 128 features; it sees the reference too.
    """
    return replace(
        reconstruction_plif(),
        name="reconstruction-cvae",
        source="Mastropasqua et al. 2025, sec. 4.4, table 6, made small; a reference picture, synthetic faces",
        encoder=ConditionalVaeConfig(channels=(16, 32), hidden=128, sees_reference=True),
        training=TrainingConfig(num_epochs=30, batch_size=16, learning_rate=1e-3),
    )


def micro_expression_units(
    model: Literal["snn", "c3d"], shown: Literal["events", "rgb"], *, is_quick: bool = False
) -> Recipe:
    """Table 5: the PLIF conv-SNN or the 3D-CNN, shown events or frames of the same takes; quick: made small.

    Source: Mastropasqua et al. 2025, sec. 4.3 and 5, table 5 (33 ms, 64 x 64 crops, leave one subject out, Adam,
    cosine, 100 epochs, batches of 8, rate 1e-3 of the SNN and 1e-4 of the 3D-CNN).
    Departs from the paper in: synthetic people instead of its recordings, an RGB camera of 640 x 480; weights chosen by
    two validation subjects. Quick: eight units and 48 people before a small DAVIS whose grey frames stand for the
    webcam's, clips of 0.66 s, 32 x 32 pixels, counts cut at 15, small networks, four folds, fewer epochs of
    mirrored clips (a head that turns to one side stays as it is: the other side is no class of the eight).
    """
    side = 32 if is_quick else 64
    size = Resolution(height=side, width=side)
    source = TABLE_FACES.source if is_quick else replace(preset_named("micro"), cameras=("davis", "rgb"))
    data = FilmedFacesConfig(source=source, crop=FaceCrop(size=side, is_moving=False))
    pictures: HistogramConfig | PlainFramesConfig = HistogramConfig(resolution=size, max_count=15 if is_quick else None)
    if shown == "rgb":
        data = replace(data, events=None, frames="davis_frames" if is_quick else "rgb")
        pictures = PlainFramesConfig(colour="grey" if is_quick else "rgb", resolution=size)
    snn = ConvSnnConfig(channels=(16, 32), features=(128, 80)) if is_quick else ConvSnnConfig()
    c3d = C3dConfig(channels=((16,), (32,), (64,))) if is_quick else C3dConfig()
    rate = {"snn": 3e-3 if is_quick else 1e-3, "c3d": 1e-3 if is_quick else 1e-4}[model]
    return Recipe(
        name=f"micro-expression-{model}-{shown}{'-quick' if is_quick else ''}",
        source=f"{PAPER}, sec. 4.3 and 5, table 5{', made small' if is_quick else ''}; synthetic faces",
        data=data,
        split=UNITS_FOLDS if is_quick else LeaveOneSubjectOutConfig(),
        representation=pictures,
        encoder=snn if model == "snn" else c3d,
        head=VotingHeadConfig() if model == "snn" else MlpHeadConfig(hidden=() if is_quick else (368,)),
        # An epoch of the quick SNN takes half of the 3D-CNN's, and both the same time in all.
        training=TrainingConfig(
            num_epochs={"snn": 60, "c3d": 30}[model] if is_quick else 100,
            batch_size=8,
            learning_rate=rate,
            augmentation=MIRRORED if is_quick else AugmentationConfig(),
        ),
    )


def micro_expression_pictures(
    model: Literal["cvae", "snn"], sensor: Literal["davis", "evk4"], *, is_quick: bool = False
) -> Recipe:
    """Table 6: the face's picture from the events of either sensor; quick: made small.

    Source: Mastropasqua et al. 2025, sec. 4.4 and 5, table 6 (latent 32, Adam 1e-3, batches of 16, 100 epochs); the
    spiking network is this project's, and is shown a picture of the clip's beginning too.
    Departs from the paper in: synthetic people instead of its recordings, six of them before the EVK4; three folds by
    subject, 64 x 64 pixels, at which the autoencoder has the published size. Quick: a small network, 32 x 32 pixels,
    windows of ten event pictures, two units of 120 people before both sensors, a DAVIS of 173 x 130 and an EVK4 of
    640 x 360 pixels; the spiking network has fewer epochs. Clips are mirrored and the autoencoder's weights decay
    (AdamW), for 84 people are soon known by heart.
    The square is cut as a detector of faces has it, brows to chin and ear to ear: what is behind a head sends no
    events, is another in every take here, and cannot be told from them.
    """
    side = 32 if is_quick else 64
    size = Resolution(height=side, width=side)
    cvae = ConditionalVaeConfig(channels=(32, 32), hidden=128) if is_quick else ConditionalVaeConfig()
    spiking = SpikingReconstructionConfig() if is_quick else SpikingReconstructionConfig(encoder=(32,), decoder=(32,))
    is_fine = sensor == "evk4"
    if is_quick:
        faces = replace(PICTURE_FACES, events=sensor)
    else:
        preset = preset_named("micro")
        num_people = 6 if is_fine else preset.num_identities
        source = replace(preset, cameras=(sensor, "rgb"), num_identities=num_people, num_evk4=None)
        faces = FilmedFacesConfig(source=source, events=sensor)
    rate = {"cvae": 1e-3, "snn": 3e-3}[model]
    training = TrainingConfig(
        num_epochs=30 if is_quick else 100,
        batch_size=16,
        learning_rate=rate,
        augmentation=MIRRORED if is_quick else AugmentationConfig(),
    )
    if is_quick and model == "cvae":
        training = replace(training, num_epochs=100, optimiser="adamw", weight_decay=3.0)
    return Recipe(
        name=f"micro-expression-{model}-{sensor}{'-quick' if is_quick else ''}",
        source=f"{PAPER}, sec. 4.4 and 5, table 6{', made small' if is_quick else ''}; synthetic faces",
        data=replace(
            faces,
            crop=FaceCrop(size=side, margin=1.0, is_moving=False),
            frames="davis_frames" if is_quick else "rgb",
            window_steps=10 if is_quick or model == "snn" else 1,
        ),
        split=PICTURES_SPLIT if is_quick else SubjectFoldsConfig(num_folds=3, validation_subjects=1),
        representation=HistogramConfig(resolution=size, max_count=15 if is_quick or model == "snn" else None),
        encoder=cvae if model == "cvae" else spiking,
        task=ReconstructionTaskConfig(shows_picture=model == "cvae"),
        training=training,
    )
