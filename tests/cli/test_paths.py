"""Where ringlet's files and the agents' logs lie."""

from cli.paths import MOVING
from ingest import registry
from ingest.discover import looked


def test_every_variable_that_moves_an_agents_logs_is_known() -> None:
    """The demo leaves out, and a service is given, whatever an adapter asks the environment for."""
    asked = looked(registry.adapters(), {}, "/home/dev").environ

    assert {name for name, _ in asked} <= set(MOVING)
