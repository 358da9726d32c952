"""The daemon's web side under attack: every listed request is refused, none makes it stumble, and good ones are answered meanwhile."""

from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from cli.serve.route import Route
from cli.serve.routes import ROUTES
from tests.cli.serve import attacks
from tests.cli.serve.attacks import Attack
from tests.cli.served import Served, daemon

CATEGORIES: dict[str, Callable[[Served], Iterator[Attack]]] = {
    "hosts": lambda served: attacks.wrong_hosts(served.port, served.token(), ROUTES),
    "elsewhere": lambda served: attacks.from_elsewhere(served.port, served.token(), ROUTES),
    "methods": lambda served: attacks.methods(served.port, served.token(), ROUTES),
    "targets": lambda served: attacks.targets(served.port, served.token()),
    "strangers": lambda served: attacks.strangers(served.port, served.token(), served.token("viewer"), ROUTES),
    "parameters": lambda served: attacks.parameters(served.port, served.token()),
    "roots": lambda served: attacks.roots(served.port, served.token()),
    "bodies": lambda served: attacks.bodies(served.port, served.token()),
    "heads": lambda served: attacks.heads(served.port, served.token()),
    "smuggled": lambda served: attacks.smuggled(served.port, served.token()),
}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with daemon(tmp_path_factory.mktemp("attacked")) as site:
        yield site


def everything(served: Served, content: bytes) -> bytes:
    """All that comes back on a connection of its own, until it is closed or silent."""
    with served.connect() as connection:
        connection.settimeout(0.3)
        came = b""
        with suppress(OSError):
            connection.sendall(content)
        with suppress(OSError):
            while piece := connection.recv(65536):
                came += piece
        return came


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_what_nothing_is_wrong_with_is_answered(served: Served, route: Route) -> None:
    """Each route as the attacks ask it, but for the attack: so each is refused for the one thing that its name says."""
    answer = served.raw(attacks.asked(route, served.host, served.token()))

    # The code of the list is none: that is told as such, once everything else was good.
    assert answer.status == (401 if route.path == "/api/login" else 200)


def test_the_list_is_long(served: Served) -> None:
    """Thousands of requests, each of which is another."""
    listed = [attack for made in CATEGORIES.values() for attack in made(served)]

    assert len({attack.content for attack in listed}) > 3000


@pytest.mark.parametrize("category", CATEGORIES)
def test_every_listed_attack_is_refused(served: Served, category: str) -> None:
    """Each is answered with the status of its reason or not at all; none is accepted, and none is our mistake."""
    wrong = []
    for attack in CATEGORIES[category](served):
        if category == "smuggled":
            came = everything(served, attack.content)
            found = [int(part[:3]) for part in came.replace(b"HTTP/1.0 ", b"HTTP/1.1 ").split(b"HTTP/1.1 ")[1:]] or [0]
        else:
            found = [served.raw(attack.content).status]
        if any(status not in attack.statuses for status in found):
            wrong.append((attack.name, found, attack.statuses))

    assert not wrong, "\n".join(map(str, wrong))
