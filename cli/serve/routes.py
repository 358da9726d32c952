"""The routes of the HTTP API: the one table that serving, checking and documenting follow.

Decides methods, paths, roles and which handler answers. What comes in and goes out is `cli.serve.contract`'s, how it comes is
`cli.serve.http`'s.
"""

from cli.serve import contract, doorway, state
from cli.serve.handlers import daemon, facts, imports, listings, usage
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
    Route("GET", "/api/usage/export", usage.export, contract.ExportParams, None, "admin", "Calls or groups as a file"),
    Route(
        "POST",
        "/api/usage/import-claude",
        imports.import_claude,
        contract.ImportParams,
        contract.Imported,
        "admin",
        "Read all that Claude Code has logged",
    ),
    Route("GET", "/api/profiles", listings.profiles, None, contract.Profiles, "admin", "Profiles and the rules that give them usage"),
    Route("GET", "/api/agents", listings.agents, None, contract.Agents, "admin", "Agents' homes and what was found there"),
    Route("GET", "/api/prices", listings.prices, contract.PricesParams, contract.Prices, "admin", "What models cost on a day"),
    Route("GET", "/api/doctor", facts.doctor, contract.DoctorParams, contract.DoctorReport, "admin", "Whether the store is well"),
    Route("GET", "/metrics", facts.metrics, None, None, "viewer", "Totals and state for Prometheus"),
    *doorway.ROUTES,
)
