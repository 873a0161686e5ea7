"""Which network addresses may be contacted: public ones, and those that the config allows.

The check is made when connections are opened: a name's addresses are filtered when it is resolved, and the address of
every socket is checked again just before it connects. So redirects, names whose address changes between two
look-ups, and URLs with bare addresses are all covered.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Iterable, Mapping

from aiohttp import ThreadedResolver
from aiohttp.abc import AbstractResolver, ResolveResult

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
AddrInfo = tuple[int, int, int, str, tuple[str, int] | tuple[str, int, int, int]]
NAT64 = ipaddress.ip_network("64:ff9b::/96")
PUBLIC_6 = ipaddress.ip_network("2000::/3")  # all other public IPv6 addresses hold an IPv4 address
# Not public, though Python's own tables say so, some only in some versions: IETF protocol assignments (Teredo among
# them), relays of 6to4, documentation, and the address of Azure's platform.
NEVER = tuple(
    ipaddress.ip_network(text)
    for text in ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32", "2001::/23", "3fff::/20")
)


class BlockedAddressError(OSError):
    """A connection to an address that is neither public nor allowed."""


class Addresses:
    """Decides which addresses may be contacted.

    Args:
        allowed: networks that may be contacted although they are not public.
        connect_to: host name -> ``address:port`` to connect to instead; exactly these targets are allowed.
    """

    def __init__(self, allowed: Iterable[str], connect_to: Mapping[str, str]) -> None:
        self._allowed = [ipaddress.ip_network(network) for network in allowed]
        self.connect_to = {host.lower(): _target(target) for host, target in connect_to.items()}
        self._targets = set(self.connect_to.values())

    def may_ask(self, address: str) -> bool:
        """Whether ``address`` (text of an IPv4 or IPv6 address) is public or allowed."""
        found = _embedded(ipaddress.ip_address(address.partition("%")[0]))
        if any(found in network for network in self._allowed if network.version == found.version):
            return True
        if found.version == 6 and found not in PUBLIC_6:
            return False
        return found.is_global and not found.is_multicast and not any(found in network for network in NEVER)

    def open_socket(self, info: AddrInfo) -> socket.socket:
        """A socket for ``info``, an entry as of ``socket.getaddrinfo``; for ``aiohttp.TCPConnector``.

        Raises:
            BlockedAddressError: the address may not be contacted.
        """
        family, kind, protocol, _, address = info
        if (address[0], address[1]) not in self._targets and not self.may_ask(address[0]):
            raise BlockedAddressError(f"{address[0]} is not a public address")
        return socket.socket(family, kind, protocol)


class SafeResolver(AbstractResolver):
    """Resolves host names to allowed addresses; a name in ``connect_to`` resolves to its target and port."""

    def __init__(self, addresses: Addresses, system: AbstractResolver | None = None) -> None:
        self._addresses = addresses
        self._system = system or ThreadedResolver(loop=asyncio.get_running_loop())

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Addresses of ``host``.

        Raises:
            BlockedAddressError: none of the name's addresses may be contacted.
            OSError: the name has no address.
        """
        target = self._addresses.connect_to.get(host.lower())
        if target is not None:
            return [_result(host, *target)]
        found = await self._system.resolve(host, port, family)
        public = [one for one in found if self._addresses.may_ask(one["host"])]
        if found and not public:
            raise BlockedAddressError(f"{host} is {found[0]['host']}, not a public address")
        return public

    async def close(self) -> None:
        """Close the system's resolver."""
        await self._system.close()


def _target(text: str) -> tuple[str, int]:
    address, _, port = text.rpartition(":")
    return address.strip("[]"), int(port)


def _embedded(address: Address) -> Address:
    """The IPv4 address embedded in an IPv6 address, if there is one (mapped, 6to4, NAT64)."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        return address.ipv4_mapped or address.sixtofour or address
    return address


def _result(host: str, address: str, port: int) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    return {"hostname": host, "host": address, "port": port, "family": family, "proto": 0, "flags": flags}
