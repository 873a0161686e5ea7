"""Settings of the stage ``source``."""

import re
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, model_validator

from workflow_scripts.core.redact import redacted
from workflow_scripts.core.settings import Settings

WORLD = "world"
VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_TELLING = re.compile(r"token|key|sig|pass|secret|auth|cred", re.IGNORECASE)
LONGEST_OPEN = 8  # characters of a query's value that is taken for no secret, such as dl=1


class Source(Settings):
    """Where an external source comes from."""

    at: str = Field(
        min_length=1,
        description=(
            "a path (file or folder), https://... (then sha256 is needed; ${NAME} in it stands for an environment "
            "variable), hub:<repository>@<revision> (Hugging Face), "
            "package:<module>/<folder> (inside an installed Python package), torchvision:<root folder> (downloaded by "
            "torchvision when it is not there yet), or world (the demo's own world)"
        ),
    )
    sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$", description="of the file behind a url or a file path")
    mirrors: tuple[str, ...] = Field((), description="further urls of the same bytes, tried in order")
    expect: dict[str, str] = Field({}, description="sha256 that named files of a folder must have")
    torchvision: str | None = Field(None, description="class name in torchvision.datasets; set by the workflow")

    @model_validator(mode="after")
    def _url_needs_a_hash(self) -> "Source":
        if self.is_url and self.sha256 is None:
            raise ValueError(f"{redacted(self.at)} is a url: state its sha256")
        return self

    @model_validator(mode="after")
    def _no_secret_in_a_url(self) -> "Source":
        for url in (self.at, *self.mirrors) if self.is_url else ():
            if has_secret(url):
                raise ValueError(
                    f"{redacted(url)} holds a secret, which records would keep: write ${{NAME}} in its place and set "
                    "the environment variable NAME (a login, or a value in the query that is long or named like a key)"
                )
        return self

    @property
    def is_url(self) -> bool:
        """Whether the bytes are fetched over HTTP and then kept as the artifact's own."""
        return self.at.startswith(("http://", "https://"))


def has_secret(url: str) -> bool:
    """Whether a url's login, query or fragment holds text that may be a secret; ``${NAME}`` is none."""
    try:
        parts = urlsplit(VARIABLE.sub("", url))
    except ValueError:
        return True
    return bool(parts.netloc.rpartition("@")[0].strip(":")) or any(
        _may_be_secret(*one.partition("=")) for one in (*parts.query.split("&"), parts.fragment)
    )


def _may_be_secret(name: str, equals: str, value: str) -> bool:
    text = value if equals else name
    return len(text) > LONGEST_OPEN or bool(value and _TELLING.search(name))


def _shorthand(value: Any) -> Any:
    return {"at": value} if isinstance(value, str) else value


# In the config a source may be written as its place alone.
SourceField = Annotated[Source, BeforeValidator(_shorthand)]
