"""Which machine an IP address leads to in the end.

Decides what an address means that carries another one. Whether that may be connected to is for whoever connects.
"""

import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_CARRYING = tuple(map(ipaddress.IPv6Network, ("64:ff9b::/96", "64:ff9b:1::/48", "::ffff:0:0:0/96", "::/96")))
"""Their last four bytes are an address of the older kind (RFC 6052, 8215, 7915, 4291)."""


def reached(address: str) -> Address:
    """The address that a connection to `address` ends at, its zone left out. Raises ValueError for what is no IP address."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if carried := ip.ipv4_mapped or ip.sixtofour:
        return carried
    if ip.teredo:
        return ip.teredo[1]
    if any(ip in network for network in _CARRYING) and int(ip) > 1:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip
