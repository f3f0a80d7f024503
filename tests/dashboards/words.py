"""Values as people read them, by Grafana's names of units."""

import math

_TIMES = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))
_BYTES = ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"), (1, "B"))
_MANY = ((1e9, "B"), (1e6, "M"), (1e3, "k"))
_AFTER = {"reqps": " req/s", "cps": " /s", "none": "", "short": ""}
UNITS = frozenset({*_AFTER, "s", "bytes", "percentunit"})


def said(value: float, unit: str, decimals: int | None = None) -> str:
    """A value with its unit.

    Raises:
        KeyError: a unit that nobody has words for.
    """
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if unit == "percentunit":
        return f"{_rounded(100 * value, decimals)} %"
    if unit in ("s", "bytes"):
        return _scaled(value, _TIMES if unit == "s" else _BYTES, decimals)
    after = _AFTER[unit]
    scale, letter = next(((by, name) for by, name in _MANY if abs(value) >= by), (1.0, ""))
    return f"{_rounded(value / scale, decimals)}{f' {letter}' if letter else ''}{after}"


def _scaled(value: float, scales: tuple[tuple[float, str], ...], decimals: int | None) -> str:
    if value == 0:
        return f"0 {'s' if scales is _TIMES else 'B'}"
    by, name = next((one for one in scales if abs(value) >= one[0]), scales[-1])
    return f"{_rounded(value / by, decimals)} {name}"


def _rounded(value: float, decimals: int | None) -> str:
    if decimals is not None:
        return f"{value:.{decimals}f}"
    if value == round(value) or abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}"
