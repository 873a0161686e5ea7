"""What a server makes of a client's request."""

import json
import os
import socket
import struct

import pytest

from tests.forkserver.server import receive


def sent(content: bytes) -> socket.socket:
    """The server's end of a connection on which the request and three streams were sent."""
    client, server = socket.socketpair()
    streams = [os.open(os.devnull, os.O_RDONLY) for _ in range(3)]
    with client:
        socket.send_fds(client, [struct.pack("!I", len(content))], streams)
        client.sendall(content)
    for stream in streams:
        os.close(stream)
    return server


def test_a_request_is_received_with_its_streams() -> None:
    with sent(json.dumps({"words": ["a"]}).encode()) as connection:
        given = receive(connection)
    assert given is not None and given[0] == {"words": ["a"]} and len(given[1]) == 3
    for stream in given[1]:
        os.close(stream)


@pytest.mark.parametrize("content", [b"\x0f{}", b"\xff", b""])
def test_malformed_requests_are_refused_and_their_streams_closed(content: bytes) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with sent(content) as connection:
        assert receive(connection) is None
    assert len(os.listdir("/proc/self/fd")) == before
