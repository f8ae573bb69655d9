import pytest
import torch
from torch import nn

from snnface.datasets.clip import Batch
from snnface.datasets.picture_samples import PICTURE, REFERENCE
from snnface.errors import DataError
from snnface.tasks import ReconstructionTask, ReconstructionTaskConfig

TASK = ReconstructionTask(ReconstructionTaskConfig(divergence_weight=0.5))
PICTURES = torch.rand(2, 1, 12, 12, generator=torch.Generator().manual_seed(0))
REFERENCES = torch.rand(2, 1, 12, 12, generator=torch.Generator().manual_seed(1))


def batch(present: list[bool] | None = None) -> Batch:
    here = torch.tensor(present or [True, True])
    return Batch(
        inputs=torch.zeros(3, 2, 2, 12, 12),
        targets={PICTURE: PICTURES, REFERENCE: REFERENCES},
        present={PICTURE: here, REFERENCE: here},
        clip_ids=("a", "b"),
    )


class Asked(nn.Module):
    """Notes what it is handed."""

    def forward(
        self, inputs: torch.Tensor, reference: torch.Tensor, target: torch.Tensor | None = None
    ) -> dict[str, torch.Tensor]:
        self.reference, self.target = reference, target
        return {"picture": reference}


def test_the_picture_itself_is_handed_over_only_in_training() -> None:
    model = Asked()
    TASK.predict(model.train(), batch())
    assert model.target is not None
    torch.testing.assert_close(model.target, PICTURES)
    TASK.predict(model.eval(), batch())
    assert model.target is None
    torch.testing.assert_close(model.reference, REFERENCES)


def test_the_divergence_is_counted_by_the_pixel_as_the_error_is() -> None:
    output = {"picture": PICTURES + 0.1, "divergence": torch.tensor([3.0, 5.0])}
    loss = TASK.loss(output, batch())
    assert loss.parts["picture_mse"] == pytest.approx(0.01)
    assert loss.parts["divergence"] == pytest.approx(4 / 144)
    assert loss.value == pytest.approx(0.01 + 0.5 * 4 / 144)


def test_a_clip_without_a_picture_changes_nothing() -> None:
    spoiled = PICTURES.clone()
    spoiled[1] += 100
    loss = TASK.loss({"picture": spoiled}, batch([True, False]))
    assert loss.value == 0.0
    assert TASK.statistics({"picture": spoiled}, batch([True, False]))[1].sum() == 0


def test_trivial_answers_are_a_grey_the_mean_and_the_reference() -> None:
    predictors = TASK.predictors([batch()])
    assert list(predictors) == ["constant", "mean", "reference"]
    torch.testing.assert_close(predictors["reference"](batch())["picture"], REFERENCES)
    torch.testing.assert_close(predictors["mean"](batch())["picture"][1], PICTURES.mean(0))
    grey = predictors["constant"](batch())["picture"]
    assert grey.shape == PICTURES.shape
    torch.testing.assert_close(grey, torch.full_like(grey, float(PICTURES.mean())))


def test_recordings_without_frames_are_refused_by_name() -> None:
    bare = Batch(inputs=torch.zeros(1, 1, 2, 12, 12), targets={}, present={}, clip_ids=("a",))
    with pytest.raises(DataError, match="no clip of a has the label 'picture'; reconstruction needs recordings with"):
        TASK.predict(Asked(), bare)
