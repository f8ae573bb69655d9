"""How annotations are checked while tests run."""

from beartype import BeartypeConf, beartype

__all__ = ["checked"]

checked = beartype(conf=BeartypeConf(is_pep484_tower=True))
"""An int is accepted where a float is asked for, as type checkers have it (PEP 484)."""
