"""Settings of the stage ``source``."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from workflow_scripts.core.settings.base import Settings

WORLD = "world"


class Source(Settings):
    """Where an external thing is to be had."""

    at: str = Field(
        min_length=1,
        description=(
            "a path (file or folder), https://... (then sha256 is needed), hub:<repository>@<revision> (Hugging Face), "
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
            raise ValueError(f"{self.at} is a url: state its sha256")
        return self

    @property
    def is_url(self) -> bool:
        """Whether the bytes are fetched over HTTP and then kept as the artifact's own."""
        return self.at.startswith(("http://", "https://"))


def _shorthand(value: Any) -> Any:
    return {"at": value} if isinstance(value, str) else value


# In the config a source may be written as its place alone.
SourceField = Annotated[Source, BeforeValidator(_shorthand)]
