import torch

from snnface.seeding import SeedTree


def test_the_same_name_gives_the_same_numbers() -> None:
    assert SeedTree(3).numpy("a").integers(1 << 40) == SeedTree(3).numpy("a").integers(1 << 40)
    assert torch.equal(torch.rand(4, generator=SeedTree(3).torch("a")), torch.rand(4, generator=SeedTree(3).torch("a")))


def test_names_and_roots_give_different_seeds() -> None:
    seeds = {SeedTree(root).seed(name) for root in range(20) for name in "abcdefghij"}
    assert len(seeds) == 200


def test_a_seed_is_fixed_for_all_machines() -> None:
    # The first eight bytes, little endian, of sha256(b"7/augment"), without the lowest bit.
    assert SeedTree(7).seed("augment") == 29595674685809883


def test_a_child_is_another_tree() -> None:
    assert SeedTree(1).child("x").seed("y") != SeedTree(1).seed("y")
