"""What the API answers about ringlet itself."""

from importlib.metadata import PackageNotFoundError, version

from cli.serve import contract
from cli.serve.service import Service


async def health(service: Service, params: None) -> contract.Health:  # noqa: ARG001
    """That there is an answer."""
    return contract.Health(status="ok", version=_VERSION)


def _version() -> str:
    try:
        return version("ringlet")
    except PackageNotFoundError:
        return "unknown"


_VERSION = _version()
