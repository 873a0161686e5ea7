"""No request to an address that is not public, by whatever way a url leads to it."""

import asyncio
import socket
from typing import Any

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.acquisition.http.addresses import Addresses, BlockedAddressError, SafeResolver

NONE_ALLOWED = Addresses([], {})


NOT_PUBLIC = (
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "2002:7f00:1::",
    "64:ff9b::7f00:1",
    "::7f00:1",
    "::ffff:0:127.0.0.1",
    "64:ff9b:1::7f00:1",
    "fec0::1",
    "192.0.0.8",
    "192.0.0.9",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "240.0.0.1",
    # What clouds tell the machines in them, credentials among it.
    "168.63.129.16",
    "::ffff:168.63.129.16",
    "64:ff9b::a83f:8110",
    "2002:a83f:8110::",
    "fd00:ec2::254",
    "100.100.100.200",
    "192.0.0.192",
    # Documentation, segment routing, discarding, benchmarks, and what is in no table.
    "3fff::1",
    "3fff:fff::1",
    "2001:db8::1",
    "5f00::1",
    "100::1",
    "100:0:0:1::1",
    "2001:2::1",
    "4000::1",
    "e000::1",
    # Teredo and other assignments of the IETF, whatever is behind them.
    "2001::1",
    "2001:0:a00:1::1",
    "2001:0:808:808::f5ff:fffe",
    "2001:1::1",
    "2001:20::1",
)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_non_public_addresses_are_blocked(address: str) -> None:
    assert not NONE_ALLOWED.may_ask(address)


@pytest.mark.parametrize(
    "address", ["151.101.1.140", "8.8.8.8", "2606:4700::1111", "3fff:1000::1", "64:ff9b::808:808", "2002:808:808::"]
)
def test_public_addresses_are_allowed(address: str) -> None:
    assert NONE_ALLOWED.may_ask(address)


@given(st.ip_addresses(network="10.0.0.0/8") | st.ip_addresses(network="127.0.0.0/8"))
def test_allowed_networks_are_allowed_and_no_others(address: Any) -> None:
    assert Addresses(["127.0.0.0/8"], {}).may_ask(str(address)) == str(address).startswith("127.")


class Answering(AbstractResolver):
    """A resolver whose answers are given beforehand, one list of addresses per look-up."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)

    async def resolve(self, host: str, port: int = 0, family: Any = socket.AF_INET) -> list[ResolveResult]:
        found = self.answers.pop(0)
        return [
            {"hostname": host, "host": one, "port": port, "family": family, "proto": 0, "flags": 0} for one in found
        ]

    async def close(self) -> None:
        self.answers = []


def test_a_name_that_changes_to_a_private_address_is_refused() -> None:
    async def look_up() -> list[str]:
        resolver = SafeResolver(NONE_ALLOWED, Answering(["8.8.8.8", "10.0.0.1"], ["10.0.0.1"]))
        first = [one["host"] for one in await resolver.resolve("rebind.test", 80)]
        with pytest.raises(BlockedAddressError, match=r"rebind\.test is 10\.0\.0\.1"):
            await resolver.resolve("rebind.test", 80)
        return first

    assert asyncio.run(look_up()) == ["8.8.8.8"]


def test_connect_to_resolves_only_to_its_target() -> None:
    addresses = Addresses([], {"World.invalid": "127.0.0.1:8731", "six.invalid": "[::1]:80"})

    async def look_up(host: str) -> tuple[str, int, int]:
        found = (await SafeResolver(addresses, Answering([])).resolve(host, 443))[0]
        return found["host"], found["port"], found["family"]

    assert asyncio.run(look_up("world.invalid")) == ("127.0.0.1", 8731, socket.AF_INET)
    assert asyncio.run(look_up("six.invalid")) == ("::1", 80, socket.AF_INET6)
    stream = (socket.AF_INET, socket.SOCK_STREAM, 0, "")
    addresses.open_socket((*stream, ("127.0.0.1", 8731))).close()
    with pytest.raises(BlockedAddressError):
        addresses.open_socket((*stream, ("127.0.0.1", 22)))
