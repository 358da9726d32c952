"""What the API answers about the daemon itself."""

from cli.serve.service import Service
from cli.serve.state import Condition
from pipeline.errors import NothingFound


async def condition(service: Service, params: None) -> Condition:  # noqa: ARG001
    """How the daemon is now. Raises NothingFound where the answers come without one."""
    if service.condition is None:
        raise NothingFound("no daemon runs here", mend="ringlet daemon start")
    told: Condition = service.condition()
    return told
