"""Colours of people: tints keep luminance, and skin follows melanin."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnface.errors import ConfigError
from snnface.faces.complexion import HAIR_TINTS, IRIS_TINTS, Complexion, skin_tint, tinted
from snnface.faces.rendering.colour import luminance

TINTS = st.tuples(*[st.floats(0.05, 3.0)] * 3)


def test_a_tint_at_a_level_keeps_the_ratios() -> None:
    red, green, blue = tinted(0.1, (2.0, 1.0, 0.5))
    assert (red / green, blue / green) == pytest.approx((2.0, 0.5))
    # 0.1 / (0.2126 * 2 + 0.7152 + 0.0722 * 0.5)
    assert green == pytest.approx(0.1 / 1.1765)


@given(level=st.floats(0.001, 1.0), tint=TINTS)
def test_no_tint_changes_luminance_or_leaves_the_range(level: float, tint: tuple[float, float, float]) -> None:
    colour = tinted(level, tint)
    np.testing.assert_allclose(luminance(colour.astype(np.float32)[None]), level, rtol=1e-5)
    assert colour.min() >= 0
    assert colour.max() <= 1 + 1e-12


def test_a_level_too_bright_for_its_tint_pales() -> None:
    np.testing.assert_allclose(tinted(1.0, (2.0, 1.0, 0.5)), 1.0)
    assert tinted(0.95, (2.0, 1.0, 0.5))[0] == pytest.approx(1.0)


def test_darker_skin_has_a_smaller_share_of_blue_and_a_larger_of_red() -> None:
    red, green, blue = np.array([skin_tint(level) for level in (0.05, 0.1, 0.2, 0.35, 0.5, 0.65)]).T
    assert (np.diff(red) < 0).all()
    assert (np.diff(blue) > 0).all()
    assert (red > green).all()
    assert (green > blue).all()


def test_drawn_people_cover_dark_to_light_skin_and_every_colour_of_hair_and_eyes() -> None:
    people = [Complexion.drawn(np.random.default_rng(seed)) for seed in range(400)]
    skin = np.array([person.skin for person in people])
    assert skin.min() < 0.13
    assert skin.max() > 0.6
    assert {person.hair_tint for person in people} == {*HAIR_TINTS.values()}
    assert {person.iris_tint for person in people} == {*IRIS_TINTS.values()}
    assert 0.02 < np.mean([person.hairline > 1 for person in people]) < 0.2
    assert 0.15 < np.mean([person.beard > 0 for person in people]) < 0.45


def test_two_drawn_complexions_differ_and_one_seed_gives_one() -> None:
    drawn = [Complexion.drawn(np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_colour_that_no_skin_has_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"reflectance of skin must lie in \(0, 1\]; got 1.5"):
        Complexion(skin=1.5)


def test_a_black_tint_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"hair_tint must be three numbers of at least 0, not all 0; got \(0.0, 0"):
        Complexion(hair_tint=(0.0, 0.0, 0.0))


def test_more_than_a_full_beard_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"beard must lie in 0..1; got 1.2"):
        Complexion(beard=1.2)


@pytest.mark.parametrize("name", ["brow_thickness", "mottling", "hairline", "beard", "skin"])
def test_no_number_is_no_colour(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name}.*nan"):
        Complexion(**{name: float("nan")})
