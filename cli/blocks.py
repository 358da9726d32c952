"""`ringlet usage blocks`: five-hour blocks as a table and as JSON.

Decides how a block, a gap and what the active block burns are told. What they are is `views.blocks`'s business.
"""

from cli.as_json import Exact, summary, written
from cli.ask import Request
from cli.deep import checked, terms_of
from cli.figures import count, duration, usd
from cli.refresh import Store
from cli.render import Look, nothing_in_range, table
from views import blocks, calendar, materialize
from views.blocks import Block, Blocks, Rate
from views.catalog import Frames
from views.query import Answer, Query, Row


def found(request: Request, query: Query, store: Store) -> Blocks:
    """The blocks that were asked for. Raises UnknownName for a project or session that nothing was ever done in."""

    def told(frames: Frames) -> Blocks:
        these = blocks.blocks(query, frames, active=request.active)
        checked(query, these.answer, frames)
        return these

    return materialize.asked(store.paths.views, store.log, terms_of(store), told)


def text(request: Request, these: Blocks, look: Look) -> str:
    """What standard output shows of them."""
    if request.json:
        return as_json(these)
    active = next((block for block in these.blocks if block.is_active), None)
    if request.active and active is None:
        return "No block is active.\n"
    answer = these.answer
    if not answer.rows:
        return nothing_in_range(answer, "blocks")
    tz = answer.query.tz
    rows = []
    for block in these.blocks:
        block.row.title = (
            _span(block.start_us, block.end_us, tz) + (" (part)" if block.is_cut else "") + (" active" if block.is_active else "")
        )
        rows.append((block.start_us, block.row))
    for gap in these.gaps:
        row = Row(None)
        row.title = f"{calendar.at(tz, gap.start_us):%Y-%m-%d %H:%M} gap of {duration(gap.end_us - gap.start_us)}"
        rows.append((gap.start_us, row))
    if these.gaps:
        rows.sort(key=lambda pair: pair[0])
    drawn = table(_with_rows(answer, [row for _, row in rows]), look)
    return drawn if active is None else f"{drawn}\n{_burning(active, answer.query)}"


def as_json(these: Blocks) -> str:
    """The summary of `usage --json`, whose rows are blocks and say more, and the gaps."""
    told = summary(these.answer)
    rows: list[dict[str, object]] = told["rows"]  # type: ignore[assignment]
    for row, block in zip(rows, these.blocks, strict=True):
        row |= {
            "end": calendar.iso_time(block.end_us),
            "is_active": block.is_active,
            "is_cut": block.is_cut,
            "burn_rate": _burn_rate(block.rate),
            "projection": _projection(block.rate),
        }
    told["gaps"] = [{"start": calendar.iso_time(gap.start_us), "end": calendar.iso_time(gap.end_us)} for gap in these.gaps]
    return written(told)


def _burn_rate(rate: Rate | None) -> dict[str, object] | None:
    if rate is None:
        return None
    cost = None if rate.cost_per_minute is None else Exact(rate.cost_per_minute)
    return {"tokens_per_minute": rate.tokens_per_minute, "cost_per_minute": cost}


def _projection(rate: Rate | None) -> dict[str, object] | None:
    if rate is None:
        return None
    cost = None if rate.cost is None else Exact(rate.cost)
    return {"remaining_minutes": rate.left_us // blocks.MINUTE_US, "total_tokens": rate.tokens, "total_cost": cost}


def _with_rows(answer: Answer, rows: list[Row]) -> Answer:
    shown = Answer(
        answer.query,
        answer.totals,
        rows,
        lambda: answer.profiles,
        last_day=answer.last_day,
        unpriced_models=answer.unpriced_models,
        as_of_us=answer.as_of_us,
    )
    shown.lost, shown.cost_policy = answer.lost, answer.cost_policy
    return shown


def _burning(active: Block, query: Query) -> str:
    left = f"{duration(max(active.end_us - query.now_us, 0))} until {calendar.at(query.tz, active.end_us):%H:%M}"
    lines = [("Active block", left)]
    rate = active.rate
    if rate is not None:
        star = "*" if active.row.unpriced_requests else ""
        minute, hour = rate.cost_per_minute, None if rate.cost_per_minute is None else 60 * rate.cost_per_minute
        lines.append(("Burn rate", f"{count(rate.tokens_per_minute)} tokens and {usd(minute)}{star} a minute, {usd(hour)}{star} an hour"))
        lines.append(("At its end", f"{count(rate.tokens, 'short')} tokens and {usd(rate.cost)}{star}, if it goes on like this"))
    return "".join(f"{name:<12}  {value}\n" for name, value in lines)


def _span(start_us: int, end_us: int, tz: str) -> str:
    return f"{calendar.at(tz, start_us):%Y-%m-%d %H:%M} - {calendar.at(tz, end_us):%H:%M}"
