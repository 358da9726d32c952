"""The routes of the HTTP API: the one table that serving, checking and documenting follow.

Decides methods, paths, roles and which handler answers. What comes in and goes out is decided in `contract`, how it comes
in `decode`.
"""

from cli.serve import doorway, state
from cli.serve.contract import figures, inventory, questions
from cli.serve.handlers import daemon, facts, imports, listings, usage
from cli.serve.route import Route

ROUTES = (
    Route("GET", "/api/daemon", daemon.condition, None, state.Condition, "viewer", "How the daemon is"),
    Route("GET", "/api/health", facts.health, None, inventory.Health, "open", "Whether the daemon answers"),
    Route("GET", "/api/usage", usage.summary, questions.Filters, figures.Usage, "admin", "Totals and profiles of a range"),
    Route("GET", "/api/usage/rollup", usage.rollup, questions.RollupParams, figures.Rollup, "admin", "Usage by one grouping or two"),
    Route("GET", "/api/usage/series", usage.series, questions.SeriesParams, figures.Series, "admin", "Usage over time, without gaps"),
    Route("GET", "/api/usage/top", usage.top, questions.TopParams, figures.Top, "admin", "The conversations that used most"),
    Route("GET", "/api/usage/records", usage.records, questions.RecordsParams, figures.Records, "admin", "Single calls, page by page"),
    Route("GET", "/api/usage/filters", usage.filters, questions.FilterValuesParams, figures.FilterValues, "admin", "Values to filter by"),
    Route("GET", "/api/usage/export", usage.export, questions.ExportParams, None, "admin", "Calls or groups as a file"),
    Route(
        "POST",
        "/api/usage/import-claude",
        imports.import_claude,
        questions.ImportParams,
        inventory.Imported,
        "admin",
        "Read all that Claude Code has logged",
    ),
    Route("GET", "/api/profiles", listings.profiles, None, inventory.Profiles, "admin", "Profiles and the rules that give them usage"),
    Route("GET", "/api/agents", listings.agents, None, inventory.Agents, "admin", "Agents' homes and what was found there"),
    Route("GET", "/api/prices", listings.prices, questions.PricesParams, inventory.Prices, "admin", "What models cost on a day"),
    Route("GET", "/api/doctor", facts.doctor, questions.DoctorParams, inventory.DoctorReport, "admin", "Whether the store is well"),
    Route("GET", "/metrics", facts.metrics, None, None, "viewer", "Totals and state for Prometheus"),
    *doorway.ROUTES,
)
