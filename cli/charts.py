"""The charts: one definition each, from which the page, SVG and PNG files are drawn.

Decides marks, axes, labels, tooltips and colours. Knows no usage: whoever draws puts rows into the data set `ROWS`, in the fields that each
function names, and gives the size. Amounts of money are US dollars; None is an unknown one.
"""

from collections.abc import Sequence
from typing import Any

import altair as alt

Chart = alt.Chart | alt.LayerChart | alt.FacetChart

ROWS = "rows"
"""Name of the data set that the rows go into."""

GRAMMAR = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
"""Version of Vega-Lite that the definitions are written in, as `vl_convert` names it."""

COLOURS = {
    "prompt": "#0f766e",
    "completion": "#7cc8bd",
    "main": "#15803d",
    "task": "#d98a04",
    "heartbeat": "#34d399",
    "cost": "#0f766e",
    "chat": "#2563eb",
    "agent": "#d98a04",
    "memory": "#9333ea",
}
"""What is drawn in which colour on a light ground. Each is the parameter `<name>_colour` of the charts that use it; a page may set it."""

_LEAST = 0.08
"""Height of the smallest bar that is not nothing, as a share of the highest."""
_WIDTH = {"expr": "max(1, bandwidth('x'))"}
"""Of a bar: a pixel at least, also where there are more days than pixels, lest nothing be seen."""
_SHORT = (
    "({0} >= 999950000 ? format({0} / 1e9, '.1f') + 'B' : {0} >= 999950 ? format({0} / 1e6, '.1f') + 'M'"
    " : {0} >= 1000 ? format({0} / 1e3, '.1f') + 'K' : format({0}, ',.0f'))"
)
_MONEY = "(!isValid({0}) ? '-' : {0} > 0 && {0} < 0.005 ? '<$0.01' : '$' + format({0}, ',.2f'))"
_FINE_MONEY = "(datum.value > 0 && shown < 0.1 ? '$' + format(datum.value, '.4f') : '$' + format(datum.value, ',.2f'))"
# A date alone is read as midnight here, not in Greenwich; of an hour its offset is left out, because its own clock is meant.
_MOMENT = "datetime(slice({0}, 0, 16) + (length({0}) > 10 ? '' : length({0}) > 7 ? 'T00:00:00' : '-01T00:00:00'))"
_SAID = (
    f"timeFormat({_MOMENT.format('datum.at')}, length(datum.at) > 10 ? '%A, %b %-d, %Y, %H:%M'"
    " : length(datum.at) > 7 ? '%A, %b %-d, %Y' : '%B %Y')"
)
_LABEL = (
    f"timeFormat({_MOMENT.format('datum.value')}, length(datum.value) > 10 ? (many <= 30 ? '%H:%M' : '%b %-d, %H:%M')"
    " : length(datum.value) > 7 ? (many > 366 ? '%b %-d, %Y' : '%b %-d') : '%b %Y')"
)
_STEP = (
    "hourly ? ceil(many / max(2, floor(width / (many <= 30 ? 48 : 92))))"
    " : many <= 14 ? 1 : many <= 31 ? 3 : 7 * max(1, ceil(many * 15 / (7 * width)))"
)
"""Every how many days or hours there is a label: every day of two weeks, every third of a month, then every seventh that has room."""


def tokens() -> Chart:
    """Tokens per day, prompt below completion. Fields: at (2026-05-01), prompt, completion, total, cost."""
    return _stacked({"prompt": "Prompt", "completion": "Completion"})


def initiators() -> Chart:
    """Tokens per day by who asked: main agent, task agents, heartbeat. Fields: at, main, task, heartbeat, total, cost."""
    return _stacked({"main": "Main Agent", "task": "Task Agent", "heartbeat": "Heartbeat"})


def cost() -> Chart:
    """Cost over time. Fields: at (2026-05-01, or 2026-05-01T13:00 for an hour), cost, requests, total."""
    columns = _rows().transform_calculate(
        # Without a number a column would be left out, and come last on the axis.
        amount="isValid(datum.cost) ? datum.cost : 0",
        Time=_SAID,
        Cost=_MONEY.format("datum.cost"),
        Requests="format(datum.requests, ',')",
        Tokens="format(datum.total, ',')",
    )
    bars = columns.mark_bar(fill={"expr": "cost_colour"}, cornerRadiusEnd=2, width=_WIDTH, aria=False).encode(
        x=_times(), y=_amounts("amount", _FINE_MONEY)
    )
    return _columns(bars, columns, field="cost", tooltip=("Time", "Cost", "Requests", "Tokens"), colours=("cost",))


def sources() -> Chart:
    """Cost by source, as a ring. Fields: source (Chat, Agent, Memory), cost, requests."""
    names = {"Chat": "chat", "Agent": "agent", "Memory": "memory"}
    ring = (
        _rows()
        .transform_filter("datum.cost > 0")
        .transform_joinaggregate(every="sum(cost)")
        .transform_calculate(
            Source="datum.source",
            Cost=_MONEY.format("datum.cost"),
            Share="format(datum.cost / datum.every, '.1%')",
            Requests="format(datum.requests, ',')",
            place=f"indexof({list(names)}, datum.source)",
        )
        .mark_arc(innerRadius={"expr": "min(width, height) * 0.32"}, outerRadius={"expr": "min(width, height) * 0.49"}, padAngle=0.02)
        .encode(
            theta=alt.Theta("cost:Q", stack=True),
            order=alt.Order("place:Q"),
            color=_coloured("source", names),
            tooltip=["Source:N", "Cost:N", "Share:N", "Requests:N"],
        )
    )
    return _with(ring, *_colours(*names.values()))


def ranking() -> Chart:
    """Names by cost, or by tokens where nothing has a cost; in the order of the rows. Fields: name, cost, total."""
    axis = alt.Axis(domain=False, ticks=False, labelLimit=260, labelPadding=8)
    names = alt.Y("name:N", title=None, sort=None, axis=axis, scale=alt.Scale(padding=0.25))
    lengths = alt.X("amount:Q", axis=None)
    columns = _rows().transform_calculate(
        amount="priced ? (isValid(datum.cost) ? datum.cost : 0) : datum.total",
        said=f"priced ? {_MONEY.format('datum.cost')} : {_SHORT.format('datum.total')}",
    )
    bars = columns.mark_bar(fill={"expr": "cost_colour"}, cornerRadiusEnd=2).encode(x=lengths, y=names)
    said = columns.mark_text(align="left", dx=6).encode(x=lengths, y=names, text="said:N")
    priced = alt.param(name="priced", expr=f"extent(pluck(data('{ROWS}'), 'cost'))[1] > 0")
    return _with(alt.layer(bars, said), priced, *_colours("cost"))


CHARTS = {"tokens": tokens, "initiators": initiators, "cost": cost, "sources": sources, "ranking": ranking}
"""Every chart by its name."""


def specification(name: str) -> dict[str, Any]:
    """A chart as Vega-Lite, without rows, as large as what holds it. Raises KeyError for a name that is none of `CHARTS`."""
    found: dict[str, Any] = CHARTS[name]().properties(width="container", height="container").configure_view(stroke=None).to_dict()
    return found


def _rows() -> alt.Chart:
    return alt.Chart(alt.NamedData(ROWS))


def _stacked(parts: dict[str, str]) -> Chart:
    """Bars of several parts per day, the first at the bottom; a day that is almost nothing is drawn high enough to be seen."""
    columns = (
        _rows()
        .transform_joinaggregate(most="max(total)")
        .transform_calculate(
            lift=f"datum.total > 0 ? max(1, {_LEAST} * datum.most / datum.total) : 0",
            Date=_SAID,
            **{title: f"format(datum.{part}, ',')" for part, title in parts.items()},
            **{"Est. cost": _MONEY.format("datum.cost")},
        )
    )
    # Without words of their own: the columns behind them say it all.
    bars = (
        columns.transform_fold(list(parts), as_=["part", "tokens"])
        .transform_calculate(high="datum.tokens * datum.lift", place=f"indexof({list(parts)}, datum.part)")
        .mark_bar(width=_WIDTH, aria=False)
        .encode(
            x=_times(),
            y=_amounts("high", _SHORT.format("datum.value"), stack="zero"),
            order=alt.Order("place:Q"),
            color=_coloured("part", {part: part for part in parts}, parts),
        )
    )
    return _columns(bars, columns, field="total", tooltip=("Date", *parts.values(), "Est. cost"), colours=tuple(parts))


def _coloured(field: str, colours: dict[str, str], titles: dict[str, str] | None = None) -> alt.Color:
    """A colour for each value of a field, with a legend that says `titles` where the values themselves are no words for people."""
    said = "".join(f"datum.label == '{name}' ? '{title}' : " for name, title in (titles or {}).items()) + "datum.label"
    return alt.Color(
        f"{field}:N",
        scale=alt.Scale(domain=list(colours), range=[{"expr": f"{name}_colour"} for name in colours.values()]),
        legend=alt.Legend(title=None, orient="top", labelExpr=said, symbolType="square"),
    )


def _times() -> alt.X:
    """Days or hours from left to right; labels that would touch each other are turned."""
    axis = alt.Axis(
        domain=False,
        ticks=False,
        labelOverlap=False,
        labelPadding=8,
        labelExpr=f"round(datum.index * (many - 1)) % step == 0 ? {_LABEL} : ''",
        labelAngle={"expr": "crowded ? -60 : 0"},
        labelAlign={"expr": "crowded ? 'right' : 'center'"},
        labelBaseline={"expr": "crowded ? 'middle' : 'top'"},
    )
    return alt.X(
        "at:O",
        title=None,
        sort=None,
        axis=axis,
        scale=alt.Scale(paddingInner={"expr": "many < 8 ? 0.6 : 0.25"}, paddingOuter={"expr": "many < 8 ? 0.4 : 0.1"}),
    )


def _amounts(field: str, label: str, **more: Any) -> alt.Y:
    """Amounts from nothing to the highest, with three labels: nothing, half, all."""
    axis = alt.Axis(
        domain=False, ticks=False, labelPadding=8, values={"expr": "[0, shown / 2, shown]"}, labelExpr=label, labelOverlap=False
    )
    return alt.Y(f"{field}:Q", title=None, axis=axis, scale=alt.Scale(domain=[0, {"expr": "shown"}], nice=False), **more)


def _columns(bars: alt.Chart, columns: alt.Chart, *, field: str, tooltip: Sequence[str], colours: Sequence[str]) -> Chart:
    """Bars with a column behind each, as high as the chart, that answers the pointer."""
    pointed = alt.selection_point(name="pointed", fields=["at"], on="pointerover", clear="pointerout")
    touch = columns.mark_bar(fill={"expr": "hover_colour"}, cursor="default").encode(
        x=alt.X("at:O", sort=None, title=None),
        y=alt.value(0),
        y2=alt.value({"expr": "height"}),
        fillOpacity=alt.condition(pointed, alt.value(0.1), alt.value(0), empty=False),
        tooltip=[f"{name}:N" for name in tooltip],
    )
    rows = f"data('{ROWS}')"
    known = {
        "shown": f"max(1e-6, extent(pluck({rows}, '{field}'))[1])",
        "many": f"length({rows})",
        "hourly": f"length({rows}) > 0 && length({rows}[0].at) > 10",
        "step": _STEP,
        "crowded": "width * step < many * 46",
    }
    told = [alt.param(name=name, expr=expression) for name, expression in known.items()]
    hover = alt.param(name="hover_colour", value="#0f172a")
    return _with(alt.layer(bars, touch.add_params(pointed)), *told, hover, *_colours(*colours))


def _with(chart: Chart, *parameters: alt.Parameter) -> Chart:
    found: Chart = chart.add_params(*parameters)
    return found


def _colours(*names: str) -> list[alt.Parameter]:
    return [alt.param(name=f"{name}_colour", value=COLOURS[name]) for name in names]
