"""Small price books for tests, written as price files list them: USD per token."""

from collections.abc import Mapping

from views.pricing import listing
from views.pricing.book import Book, Entry, Row

Rows = Mapping[str, Mapping[str, object]]
"""Listings by the day (YYYY-MM-DD) from which they hold."""


def book_file(
    models: Mapping[tuple[str, str], Rows], corrections: Mapping[str, list[tuple[str, str | None, dict[str, object]]]] | None = None
) -> bytes:
    """A book file of `models`, by (name, provider)."""
    lines = []
    for (name, provider), rows in models.items():
        entry = Entry(name, provider, [Row(listing.day_of(since), listing.fields_of(prices), "shipped") for since, prices in rows.items()])
        given = [
            (listing.day_of(first), None if last is None else listing.day_of(last), fields)
            for first, last, fields in (corrections or {}).get(name, [])
        ]
        lines.append(listing.line(entry, given))  # type: ignore[arg-type]
    return listing.file(lines, {})


def one_model(rows: Rows, *, name: str = "m-1", provider: str = "acme") -> Book:
    """A book that lists a single model."""
    return Book(book_file({(name, provider): rows}))


def day(text: str) -> int:
    """Days since 1970 of YYYY-MM-DD."""
    return listing.day_of(text)
