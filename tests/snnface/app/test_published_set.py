"""Which options of a published data set go together."""

from typing import Any

import pytest

from snnface.app.published_set import PublishedFacesConfig
from snnface.config import from_json, to_json
from snnface.errors import ConfigError
from snnface.faces.detection.face_crop import FaceCrop

CROP = FaceCrop(size=16)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window_steps": 0}, "window_steps must be at least 1; got 0"),
        ({"max_steps": -1}, "max_steps must be at least 1; got -1"),
        ({"window_steps": 2, "max_steps": 2}, "not both"),
        ({"dataset": "nefer", "crop": CROP}, "nefer does not tell where a face is"),
        ({"dataset": "facemorphic", "fps": 30.0}, "fps is a positive rate, of afew-va, ck-plus, nefer only"),
        ({"fps": 0.0}, "fps is a positive rate"),
        ({"dataset": "nefer", "events": "x"}, "events are emulated of afew-va, "),
        ({"shows": "frames", "events": "x"}, "events are emulated of afew-va, "),
        ({"num_coefficients": 3}, "num_coefficients is 0, or up to 256 of facemorphic; got 3 of afew-va"),
        ({"dataset": "facemorphic", "num_coefficients": 32}, "coefficients of FACEMORPHIC are pickles: allow them"),
        (
            {"dataset": "facemorphic", "num_coefficients": 9, "alpha_from": "landmarks"},
            "landmarks of FACEMORPHIC are pickles: allow them",
        ),
        ({"dataset": "facemorphic", "num_coefficients": 9, "allow_pickle": True}, "the published coefficients are 32"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        PublishedFacesConfig(**{"dataset": "afew-va", "path": "somewhere", **options})


def test_the_config_survives_its_json() -> None:
    config = PublishedFacesConfig(
        dataset="facemorphic", path="a/b", max_steps=75, num_coefficients=32, allow_pickle=True, alpha_from="file"
    )
    assert from_json(PublishedFacesConfig, to_json(config)) == config
    cropped = PublishedFacesConfig(dataset="afew-va", path="a", crop=CROP, fps=24.0, events="made")
    assert from_json(PublishedFacesConfig, to_json(cropped)) == cropped
