"""The API does what its own description says: good and bad requests made from the OpenAPI document, and their answers checked by it."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import CHECKS
from schemathesis.config import SchemathesisConfig

from cli.serve.openapi import document
from cli.serve.routes import ROUTES
from tests.cli.served import Served, daemon
from tests.sizes import times

# A value that is too long for the bounds of a head is refused before it is looked at.
CONFIG = SchemathesisConfig.from_dict(
    {"checks": {"negative_data_rejection": {"expected-statuses": ["400", "404", "409", "413", "415", "431"]}}}
)
DESCRIBED = schemathesis.openapi.from_dict(document([route for route in ROUTES if route.path != "/api/events"]), config=CONFIG)
"""Without the stream that never ends."""
HELD = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
    "negative_data_rejection",
)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with daemon(tmp_path_factory.mktemp("described")) as site:
        yield site


@DESCRIBED.parametrize()
@settings(
    max_examples=times(10),
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
def test_the_api_keeps_to_its_description(case: schemathesis.Case[Any], served: Served) -> None:
    """No request ends in a mistake of ours, and every answer has a status, a type and a form that the document tells."""
    checks: list[Any] = [CHECKS.get_one(name) for name in HELD]
    case.call_and_validate(
        base_url=f"http://{served.host}", headers={"Authorization": f"Bearer {served.token()}"}, checks=checks, timeout=90
    )
