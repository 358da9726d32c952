"""The routes of the HTTP API: the one table that serving, checking and documenting follow.

Decides methods, paths, roles and which handler answers. What comes in and goes out is `cli.serve.contract`'s, how it comes is
`cli.serve.http`'s.
"""

from cli.serve import contract, doorway, state
from cli.serve.handlers import daemon, facts, usage
from cli.serve.route import Route

ROUTES = (
    Route("GET", "/api/daemon", daemon.condition, None, state.Condition, "viewer", "How the daemon is"),
    Route("GET", "/api/health", facts.health, None, contract.Health, "open", "Whether the daemon answers"),
    Route("GET", "/api/usage", usage.summary, contract.Filters, contract.Usage, "admin", "Totals and profiles of a range"),
    Route("GET", "/api/usage/rollup", usage.rollup, contract.RollupParams, contract.Rollup, "admin", "Usage by one grouping or two"),
    Route("GET", "/api/usage/series", usage.series, contract.SeriesParams, contract.Series, "admin", "Usage over time, without gaps"),
    Route("GET", "/api/usage/top", usage.top, contract.TopParams, contract.Top, "admin", "The conversations that used most"),
    Route("GET", "/api/usage/records", usage.records, contract.RecordsParams, contract.Records, "admin", "Single calls, page by page"),
    Route("GET", "/api/usage/filters", usage.filters, contract.FilterValuesParams, contract.FilterValues, "admin", "Values to filter by"),
    *doorway.ROUTES,
)
