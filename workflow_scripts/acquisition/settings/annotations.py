"""Settings of the annotations stage."""

from typing import Annotated

from pydantic import Field

from workflow_scripts.core.settings import Settings


class Annotations(Settings):
    """Which annotation rows the study is about."""

    years: list[int] | None = Field(default=None, description="years of the posts to keep; null keeps all")
    subreddits: list[str] | None = Field(default=None, description="subreddits to keep; null keeps all")
    exclude: list[Annotated[str, Field(pattern="^[0-9a-f]{64}$")]] = Field(
        default=[], description="removal list, as tokens of image ids and URLs: the study keeps no trace of these rows"
    )
    max_caption_chars: int = Field(
        default=1000,
        gt=0,
        description="maximum characters of a caption; longer ones are cut, at a space if possible; Reddit allows 300",
    )
    max_member_mb: int = Field(
        default=2048, gt=0, description="largest annotation file inside the zip, unpacked, in MiB (zip-bomb guard)"
    )
