"""Who lists a price and since when, in words.

Decides how a row of the price book is named to a person. Which row prices a call is `views.pricing`' business.
"""

_ORIGINS = {
    "shipped": "the shipped history",
    "corrected": "the shipped history with a correction",
    "synced": "registry sync",
    "table": "your tokenPriceTable",
}


def origin(name: str) -> str:
    """Where a row of this origin comes from."""
    return _ORIGINS[name]


def since(day: str | None, *, before: bool) -> str:
    """Since when a row holds that is listed from `day` on; `before`: it is applied to an earlier day."""
    if day is None:
        return "for all days"
    return f"first listed on {day}, which holds for earlier days too" if before else f"listed since {day}"
