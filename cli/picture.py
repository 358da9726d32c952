"""`ringlet usage chart`: a chart of usage as an SVG or PNG file.

Decides which chart a grouping means, what it is headed and how large it is. How a chart looks is `cli.charts`'s business, which the page
draws from as well.
"""

import os
from typing import Any

from cli import charts
from cli.ask import Request, WrongUsage
from cli.deep import answer_from_views, written
from cli.outcomes import DONE
from cli.refresh import Store
from views import calendar
from views.matching import INITIATORS
from views.query import ATTO, TIME_GROUPINGS, Answer, Query, Row

FORMATS = (".svg", ".png")

_WIDTH, _HEIGHT, _ROW = 860, 300, 30
_LONGEST = 20
"""Names of a ranking, where no limit is given."""


def checked(request: Request) -> None:
    """Raises WrongUsage for a command line that no file can come of."""
    if request.output is None:
        raise WrongUsage("a chart needs a file", mend="add --out usage.svg, or usage.png")
    if os.path.splitext(request.output)[1].lower() not in FORMATS:
        raise WrongUsage(f"{request.output}: a chart is an SVG or PNG file", mend="name it .svg or .png")
    if request.sort is not None and (request.by or "day") in (*TIME_GROUPINGS, "initiator", "source"):
        raise WrongUsage("--sort is for names", mend="leave it out")


def draw(request: Request, query: Query, store: Store) -> int:
    """Write the chart that was asked for and return the exit code."""
    name, rows, height = _chosen(request, query, store)
    title = f"{query.label}{''.join(f' · {value}' for value in query.filters().values())}"
    specification = charts.specification(name) | {
        "width": _WIDTH,
        "height": height,
        "background": "white",
        "padding": 16,
        "title": {"text": title, "anchor": "start", "fontSize": 16, "offset": 18},
        "datasets": {charts.ROWS: rows},
    }
    written(request.output or "", _image(specification, request.output or ""))
    return DONE


def _chosen(request: Request, query: Query, store: Store) -> tuple[str, list[dict[str, Any]], int]:
    """Chart, rows and height for a grouping."""
    by = query.by
    if by == "initiator":
        query.by = "day"
        days = answer_from_views(query, store)
        query.split = "initiator"
        return "initiators", _divided(days, answer_from_views(query, store)), _HEIGHT
    if by == "source":
        found = {row.key: row for row in answer_from_views(query, store).rows}
        kept = [(name, found[name]) for name in ("chat", "agent", "memory") if name in found]
        return "sources", [{"source": name.title(), **_sums(row)} for name, row in kept], _HEIGHT
    if by in TIME_GROUPINGS:
        answer = answer_from_views(query, store)
        moments = [{"at": row.key, **_sums(row)} for row in (_hours(answer) if by == "hour" else answer.rows)]
        return ("cost" if request.cost else "tokens"), moments, _HEIGHT
    query.limit = query.limit or _LONGEST
    named = [{"name": _name(row), **_sums(row)} for row in answer_from_views(query, store).rows]
    return "ranking", named, _ROW * max(len(named), 1)


def _hours(answer: Answer) -> list[Row]:
    """Every hour from the first that has a call to the last."""
    found, totals = {row.key: row for row in answer.rows}, answer.totals
    if totals.first_at_us is None or totals.last_at_us is None:
        return []
    # Clocks differ by whole half-hours at the least, so every hour has a look from here.
    first_us = totals.first_at_us - totals.first_at_us % (calendar.HOUR_US // 2)
    return [found.get(key) or Row(key) for key in calendar.hours(answer.query.tz, first_us, totals.last_at_us + 1)]


def _divided(days: Answer, parts: Answer) -> list[dict[str, Any]]:
    """A row per day with the tokens of each initiator."""
    rows = {row.key: {"at": row.key, **dict.fromkeys(INITIATORS, 0), **_sums(row)} for row in days.rows}
    for part in parts.rows:
        if part.part in INITIATORS:
            rows[part.key][part.part] = part.tokens
    return list(rows.values())


def _name(row: Row) -> str:
    """What a bar is called; a title says less than it seems, because several sessions may bear it."""
    key = row.key or "unknown"
    return f"{row.title} ({key[:8]})" if row.title else key


def _sums(row: Row) -> dict[str, Any]:
    # Drawn, not added: the last digits of a sum of money are no pixel.
    cost = None if row.cost is None else row.cost / ATTO
    return {"prompt": row.prompt, "completion": row.output, "total": row.tokens, "cost": cost, "requests": row.requests}


def _image(specification: dict[str, Any], path: str) -> bytes:
    import vl_convert  # 50 ms that only a drawing should pay

    if path.lower().endswith(".png"):
        image: bytes = vl_convert.vegalite_to_png(specification, vl_version=charts.GRAMMAR, scale=2)
        return image
    return vl_convert.vegalite_to_svg(specification, vl_version=charts.GRAMMAR).encode()
