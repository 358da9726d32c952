"""Where a daemon may listen."""

import pytest

from cli.serve.http import refuse
from cli.serve.state import Options
from pipeline.errors import RingletError


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1"])
def test_this_machine_alone_needs_no_asking(host: str) -> None:
    """Loopback addresses are reached from nowhere else."""
    refuse(Options(host=host))


@pytest.mark.parametrize("host", ["192.168.1.5", "10.0.0.1", "fe80::1", "::ffff:10.0.0.1"])
def test_another_address_is_taken_only_on_purpose(host: str) -> None:
    """Other machines could ask there."""
    with pytest.raises(RingletError, match="other machines could ask"):
        refuse(Options(host=host))
    refuse(Options(host=host, remote=True))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "0:0:0:0:0:0:0:0"])
def test_all_addresses_at_once_are_never_taken(host: str) -> None:
    """Nobody knows all the names by which it could then be asked."""
    with pytest.raises(RingletError, match="every address"):
        refuse(Options(host=host, remote=True))


@pytest.mark.parametrize("host", ["", "localhost", "evil.com", "127.1", "0x7f.1", "127.0.0.1:80", "[::1]", "*"])
def test_a_name_is_no_address(host: str) -> None:
    """What it means may change under the daemon."""
    with pytest.raises(RingletError, match="not an IP address"):
        refuse(Options(host=host, remote=True))
