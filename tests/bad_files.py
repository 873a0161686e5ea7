"""Files that a reader must refuse with a message of its own: one test for any reader."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest


def refused(
    read: Callable[[Path], object], error: type[Exception], cases: Sequence[tuple[str, str]]
) -> Callable[[str, str, Path], None]:
    """A test that ``read`` raises ``error`` for each text as the content of a file, with a message that matches."""

    @pytest.mark.parametrize(("text", "message"), cases)
    def test(text: str, message: str, tmp_path: Path) -> None:
        path = tmp_path / "file"
        path.write_text(text)
        with pytest.raises(error, match=message):
            read(path)

    return test
