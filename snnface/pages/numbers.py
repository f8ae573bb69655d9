"""Numbers as readers like them: grouped digits, SI prefixes, percent."""

import math

__all__ = ["compact", "grouped", "percent", "si", "significant"]

_THIN = "\u202f"
_PREFIXES = {-15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T"}


def grouped(value: float | int) -> str:
    """Digits in groups of three: 205 522; at most one decimal for a number that is not whole.

    >>> grouped(1234567).replace(_THIN, " ")
    '1 234 567'
    """
    text = f"{value:,.1f}" if value != round(value) else f"{round(value):,}"
    return text.replace(",", _THIN)


def si(value: float | int, unit: str) -> str:
    """Three significant digits and a prefix.

    >>> si(2.345e-8, "J").replace(_THIN, " ")
    '23.5 nJ'
    """
    if not math.isfinite(value):
        return "∞" if value > 0 else "-∞"
    if value == 0:
        return f"0{_THIN}{unit}"
    # Rounded first, so that 999.9 n becomes 1 µ and not 1e+03 n.
    rounded = float(f"{value:.3g}")
    exponent = min(max(3 * math.floor(math.log10(abs(rounded)) / 3 + 1e-12), -15), 12)
    return f"{significant(rounded / 10**exponent)}{_THIN}{_PREFIXES[exponent]}{unit}"


def compact(value: float | int) -> str:
    """A count or a mean of counts: grouped below 10 000, with a prefix above (2.75 M)."""
    if abs(value) >= 10_000:
        return si(value, "")
    return grouped(round(value)) if abs(value) >= 100 else grouped(value)


def percent(value: float | int) -> str:
    """A share with one decimal; more where it would look like nothing.

    >>> percent(0.125).replace(_THIN, " "), percent(0.00012).replace(_THIN, " ")
    ('12.5 %', '0.012 %')
    """
    scaled = 100 * value
    digits = f"{scaled:.1f}" if scaled == 0 or abs(scaled) >= 0.1 else f"{scaled:.2g}"
    return f"{digits}{_THIN}%"


def significant(value: float | int) -> str:
    """Three significant digits, never in exponent form between 0.001 and 1e6.

    >>> [significant(x) for x in (0.0123456, 12.3456, 1234.5)]
    ['0.0123', '12.3', '1234']
    """
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    if 1e-3 <= abs(value) < 1e6:
        decimals = max(0, 2 - math.floor(math.log10(abs(value))))
        return f"{value:.{decimals}f}"
    return f"{value:.3g}"
