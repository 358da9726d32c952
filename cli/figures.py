"""How numbers are written: counts in three styles, money, sizes, spans of time.

Decides rounding and units. Pure, and imports no library: short commands print through it.
"""

from views.query import ATTO

_UNITS = (("K", 10**3), ("M", 10**6), ("B", 10**9), ("T", 10**12))


def count(number: int, style: str = "grouped") -> str:
    """A number in one of three styles: `short` (three digits: 1.21M, 340K), `tenths` (one decimal: 1.5M, 45.0K), `grouped` (1,234,567)."""
    if style == "grouped" or abs(number) < 1000:
        return f"{number:,}"
    sign, size = "-" if number < 0 else "", abs(number)
    for unit, whole in _UNITS:
        if size >= 1000 * whole and unit != "T":
            continue
        decimals = 1 if style == "tenths" else 2 if size < 10 * whole else 1 if size < 100 * whole else 0
        scaled = (size * 10**decimals * 2 + whole) // (2 * whole)
        if style != "tenths" and decimals and scaled >= 10 * 10**2:
            decimals, scaled = decimals - 1, (scaled + 5) // 10
        if scaled < 1000 * 10**decimals or unit == "T":
            digits = f"{scaled:0{decimals + 1}d}"
            text = f"{digits[:-decimals]}.{digits[-decimals:]}" if decimals else digits
            if style != "tenths" and decimals:
                text = text.rstrip("0").rstrip(".")
            return f"{sign}{text}{unit}"
    raise AssertionError(number)


def usd(amount: "int | None") -> str:
    """Attodollars to the cent, half a cent up; less than half a cent as `<$0.01`, the unknown as `-`."""
    if amount is None:
        return "-"
    cents = (abs(amount) * 200 + ATTO) // (2 * ATTO)
    if amount and not cents:
        return "<$0.01"
    return f"{'-' if amount < 0 else ''}${cents // 100:,}.{cents % 100:02d}"


def many(number: int, noun: str) -> str:
    """A number of things: `1 file`, `1,200 files`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def size(count_bytes: int) -> str:
    """Bytes in decimal units: `532 B`, `4.6 kB`, `1.2 GB`."""
    for unit, whole in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count_bytes >= whole:
            return f"{count_bytes / whole:,.1f} {unit}"
    return f"{count_bytes} B"


def duration(span_us: int) -> str:
    """`3d 4h`, `1h 05m`, `12m`, `8s`."""
    seconds = span_us // 1_000_000
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if days:
        return f"{days}d {hours % 24}h"
    if hours:
        return f"{hours}h {minutes % 60:02d}m"
    return f"{minutes}m" if minutes else f"{seconds}s"
