"""Which zone a machine keeps."""

import pytest

from cli.zone import machine_zone


@pytest.mark.parametrize(
    ("variable", "zone"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        (":Asia/Kathmandu", "Asia/Kathmandu"),
        ("/usr/share/zoneinfo/America/St_Johns", "America/St_Johns"),
        ("Etc/UTC", "UTC"),
        ("/usr/share/zoneinfo/posix/Europe/Berlin", "Europe/Berlin"),
    ],
)
def test_the_variable_names_the_zone(variable: str, zone: str) -> None:
    """`TZ` is a name, a name behind a colon, or a path into the zone database."""
    assert machine_zone({"TZ": variable}) == zone


@pytest.mark.parametrize("variable", ["<+03>-3", "Mars/Olympus", "", "localtime", "right/Europe/Berlin"])
def test_what_names_no_zone_is_passed_over(variable: str) -> None:
    """A fixed offset or an unknown name leaves the decision to the machine's own files."""
    assert machine_zone({"TZ": variable}) == machine_zone({})
