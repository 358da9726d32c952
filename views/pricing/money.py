"""Money as an integer of attodollars, 10^-18 US dollars.

Decides how amounts are read and written. Sums and products of integers are exact: they equal what decimal arithmetic gives, and cost a
command no import. Rounding for the eye belongs to whoever prints.
"""

ATTO = 10**18


def attodollars(text: str) -> int:
    """Attodollars of a decimal string in US dollars; digits past the 18th are rounded half to even. Raises ValueError."""
    body, mark, exponent = text.strip().lower().partition("e")
    sign = -1 if body.startswith("-") else 1
    whole, _, fraction = body[body.startswith(("-", "+")) :].partition(".")
    digits = whole + fraction
    if not digits.isascii() or not digits.isdigit() or len(digits) > 60 or (mark and not exponent.lstrip("+-").isdigit()):
        raise ValueError(f"not an amount of money: {text[:40]!r}")
    places = 18 - len(fraction) + (int(exponent) if mark else 0)
    if not -90 <= places <= 40:
        raise ValueError(f"not an amount of money: {text[:40]!r}")
    number = int(digits)
    return sign * (number * 10**places if places >= 0 else ratio(number, 1, 10**-places))


def dollars(amount: int) -> str:
    """`amount` attodollars as an exact decimal string, no exponent, no needless zeros."""
    if amount < 0:
        return "-" + dollars(-amount)
    whole, fraction = divmod(amount, ATTO)
    return f"{whole}.{fraction:018d}".rstrip("0") if fraction else str(whole)


def ratio(rate: int, factor: int, divisor: int) -> int:
    """rate * factor / divisor, half to even where it does not come out even (the shipped book is checked to come out even)."""
    whole, rest = divmod(rate * factor, divisor)
    return whole + (2 * rest > divisor or (2 * rest == divisor and whole % 2))
