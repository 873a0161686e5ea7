"""What the server answers, and what it refuses."""

import asyncio
import io
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer
from PIL import Image

from tests.browse.small_study import SCRIPT, study_of
from workflow_scripts.browse.build import index_of, sources_of
from workflow_scripts.browse.index import Index
from workflow_scripts.browse.server import HEADERS, application

WORD = "a-random-word"
Visit = Callable[[TestClient[Any, Any]], Awaitable[None]]


def visit(study: Path, visitor: Visit) -> None:
    """Run a visitor against the study's server."""

    async def run() -> None:
        sources = sources_of(study)
        made = application(study, Index(index_of(sources)), sources.images, WORD)
        async with TestClient(TestServer(made)) as client:
            await visitor(client)

    asyncio.run(run())


async def ask(client: TestClient[Any, Any], path: str, status: int = 200, **options: Any) -> ClientResponse:
    """GET a page; every answer has the same protecting headers."""
    answer = await client.get(path, **options)
    assert answer.status == status, (path, await answer.text())
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    return answer


def test_pages_thumbnails_and_pictures_are_served(study: Path) -> None:
    async def visitor(client: TestClient[Any, Any]) -> None:
        answer = await ask(client, f"/{WORD}/?q=dog&arm=original&order=")
        text = await answer.text()
        assert answer.content_type == "text/html" and "<b>2</b> images" in text and text.count("<article") == 2
        answer = await ask(client, f"/{WORD}/style.css")
        assert answer.content_type == "text/css"
        for path, size in (("thumbnail/3", (20, 10)), ("picture/8", (20, 10))):
            answer = await ask(client, f"/{WORD}/{path}")
            assert answer.content_type == "image/jpeg"  # PNG in the shard
            with Image.open(io.BytesIO(await answer.read())) as image:
                assert image.format == "JPEG" and image.size == size
        text = await (await ask(client, f"/{WORD}/image/0")).text()
        assert "a red dog" in text and 'href="5"' in text and "cosine 0.900" in text
        assert "faithful-pairs why" in text and "image_index/images" in text
        assert (await client.head(f"/{WORD}/")).status == 200

    visit(study, visitor)


def test_text_is_escaped(study: Path) -> None:
    async def visitor(client: TestClient[Any, Any]) -> None:
        for path in ("?q=script", "image/4", "?q=%3Cscript%3E", "?subreddit=%3Cscript%3E"):
            answer = await client.get(f"/{WORD}/{path}")
            text = await answer.text()
            assert "<script" not in text, path
        assert (
            SCRIPT.replace("<", "&lt;").replace(">", "&gt;").replace("'", "&#39;")
            in await (await ask(client, f"/{WORD}/image/4")).text()
        )
        text = await (await ask(client, f"/{WORD}/image/6")).text()
        assert len(text) < 20_000 and "Only the beginning is shown" in text

    visit(study, visitor)


@pytest.mark.parametrize(
    "host", ["evil.test", "evil.test:80", "127.0.0.1.evil.test", "localhost.", "[::1]:80", "", " "]
)
def test_other_hosts_are_refused(study: Path, host: str) -> None:
    async def visitor(client: TestClient[Any, Any]) -> None:
        answer = await client.get(f"/{WORD}/", headers={"Host": host})
        assert answer.status in (400, 403) and "study" not in await answer.text()

    visit(study, visitor)


def test_a_tunnel_can_use_another_port(study: Path) -> None:
    async def visitor(client: TestClient[Any, Any]) -> None:
        for host in ("localhost:1234", "localhost", "127.0.0.1"):
            await ask(client, f"/{WORD}/", headers={"Host": host})

    visit(study, visitor)


def test_unknown_paths_and_other_methods_are_refused(study: Path) -> None:
    async def visitor(client: TestClient[Any, Any]) -> None:
        for path in ("/", "/other/", f"/{WORD}", f"/{WORD}/image/", f"/{WORD}/image/x", f"/{WORD}/image/-1"):
            await ask(client, path, 404)
        for path in ("..%2f..%2fetc%2fpasswd", "../../etc/passwd", "image/1/../../select_captions", "thumbnail/1.jpg"):
            await ask(client, f"/{WORD}/{path}", 404)
        for path in ("image/9", "thumbnail/999999999"):
            text = await (await ask(client, f"/{WORD}/{path}", 404)).text()
            assert "unknown" in text
        for path in ("?page=0", "?score=x", "?x=1", "?order=up"):
            assert "invalid view" in await (await ask(client, f"/{WORD}/{path}", 400)).text()
        await ask(client, f"/{WORD}/image/{10**12}", 404)
        for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
            assert (await client.request(method, f"/{WORD}/")).status == 405

    visit(study, visitor)


def test_a_damaged_image_is_not_shown(tmp_path: Path) -> None:
    study = study_of(tmp_path)
    tar = study / "download" / "00000.tar"
    tar.write_bytes(tar.read_bytes()[::-1])

    async def visitor(client: TestClient[Any, Any]) -> None:
        text = await (await ask(client, f"/{WORD}/thumbnail/0", 500)).text()
        assert "damaged image" in text
        await ask(client, f"/{WORD}/thumbnail/8")

    visit(study, visitor)


def test_nothing_is_shown_after_the_index_was_removed(tmp_path: Path) -> None:
    study = study_of(tmp_path)

    async def visitor(client: TestClient[Any, Any]) -> None:
        await ask(client, f"/{WORD}/image/0")
        index = Index(index_of(sources_of(study)))
        index.folder.rename(tmp_path / "aside")
        for path in ("", "image/0", "thumbnail/0", "style.css"):
            assert "the index was removed" in await (await ask(client, f"/{WORD}/{path}", 410)).text()

    visit(study, visitor)


def test_a_request_that_is_too_long_is_a_line_in_the_log(study: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def visitor(client: TestClient[Any, Any]) -> None:
        for headers in ({"Cookie": "a" * 10_000}, {f"X-{n}": "a" for n in range(2_000)}):
            answer = await client.get(f"/{WORD}/style.css", headers=headers)
            assert answer.status == 400
        assert (await client.get(f"/{WORD}/?q={'a' * 10_000}")).status == 400
        assert (await client.get(f"/{WORD}/style.css", headers={"Cookie": "a" * 8_000})).status == 200

    visit(study, visitor)
    records = [record for record in caplog.records if record.name == "aiohttp.server"]
    assert len(records) == 3 and not any(one.exc_info or one.exc_text for one in records)
    advice = "if it comes from a browser, delete its cookies for 127.0.0.1 and localhost"
    for one in records:
        assert one.getMessage().startswith("refused request in browse: ") and one.getMessage().endswith(advice)
