"""The loopback server of the demo's pictures."""

import http.client
import json
import socket
import struct
import zipfile
from contextlib import contextmanager

import pytest

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.demo.server import serve_zip


@pytest.fixture
def zipped(tmp_path):
    path = tmp_path / "images.zip"
    routes = {"redirects": {"sub/gone.jpg": "removed.png"}, "types": {"sub/page.jpg": "text/html; charset=utf-8"}}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("sub/a b.jpg", b"picture")
        archive.writestr("sub/page.jpg", b"<!doctype html>")
        archive.writestr("removed.png", b"placeholder")
        archive.writestr("routes.json", json.dumps(routes))
    return path


@contextmanager
def connection(path):
    with serve_zip(path) as (host, port):
        client = http.client.HTTPConnection(host, port, timeout=5)
        try:
            yield client
        finally:
            client.close()


def ask(client, path):
    client.request("GET", path)
    answer = client.getresponse()
    return answer.status, dict(answer.getheaders()), answer.read()


def test_images_redirects_pages_and_404s_are_served_over_a_single_connection(zipped):
    with connection(zipped) as client:
        status, headers, body = ask(client, "/sub/a%20b.jpg?width=3")
        assert (status, body, headers["Content-Type"]) == (200, b"picture", "image/jpeg")
        kept = client.sock
        status, headers, body = ask(client, "/sub/gone.jpg")
        assert (status, body, headers["Location"]) == (302, b"", "/removed.png")
        assert ask(client, "/removed.png")[::2] == (200, b"placeholder")
        status, headers, body = ask(client, "/sub/page.jpg")
        assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        for path in ("/sub/none.jpg", "/", "/../etc/passwd", "/routes.json"):
            assert ask(client, path)[0] == 404
        assert client.sock is kept  # kept alive all along


def test_two_servers_at_once_take_different_ports(zipped):
    with serve_zip(zipped) as one, serve_zip(zipped) as two:
        assert one[0] == two[0] == "127.0.0.1" and one[1] != two[1]


def test_the_port_is_closed_afterwards(zipped):
    with serve_zip(zipped) as (host, port):
        pass
    with pytest.raises(OSError):
        http.client.HTTPConnection(host, port, timeout=1).connect()


def test_serving_a_file_that_is_not_a_zip_is_an_error(tmp_path):
    path = tmp_path / "images.zip"
    path.write_bytes(b"not a zip")
    with pytest.raises(PipelineError, match=r"unreadable zip of images in .*images\.zip"), serve_zip(path):
        pass


def test_a_client_that_hangs_up_leaves_no_traceback(zipped, capfd):
    with serve_zip(zipped) as (host, port):
        for _ in range(20):
            client = socket.create_connection((host, port))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # reset, not an orderly end
            client.sendall(b"GET /sub/a%20b.jpg HTTP/1.1\r\n\r\n" * 50)
            client.close()
        with connection(zipped) as other:
            assert ask(other, "/removed.png")[0] == 200
    assert "Traceback" not in capfd.readouterr().err
