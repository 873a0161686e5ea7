"""Settings of the download stage."""

import ipaddress
from typing import Literal

from pydantic import Field, field_validator

from workflow_scripts.core.settings import Settings, quantity


class HostPolicy(Settings):
    """Limits of the requests to one host, for all jobs together."""

    rate: float = quantity(unit="requests/s", gt=0, examples=[5])
    """Maximum request rate."""
    connections: int = quantity(unit="requests", gt=0, le=256, examples=[8])
    """Maximum number of concurrent requests."""


class Import(Settings):
    """Images that were downloaded before; they are used as if the workflow had fetched them."""

    kind: Literal["redcaps_folder", "img2dataset"] = Field(examples=["redcaps_folder"])
    """Layout of the folder. redcaps_folder: <subreddit>/<image_id>.jpg, as RedCaps' own downloader writes it;
    img2dataset: tars (webdataset), whose images are found by their URL."""
    source: str = Field(min_length=1, examples=["/data/redcaps/images"])
    """Path of the folder."""


HOSTS = {
    "i.redd.it": HostPolicy(rate=20, connections=16),
    "i.imgur.com": HostPolicy(rate=5, connections=8),
    "*.staticflickr.com": HostPolicy(rate=10, connections=8),
    "default": HostPolicy(rate=2, connections=2),
}


class Download(Settings):
    """What is fetched, how fast, and how images are stored."""

    keep: Literal["fetched", "prepared"] = Field(default="fetched", examples=["prepared"])
    """What results/.fetched keeps of an image. fetched: the bytes as received, which serve any image setting; prepared:
    the image as stored in the tar, a tenth of the size, which serves only these settings."""
    rounds: int = quantity(1, unit="rounds", ge=1, le=1000, examples=[2])
    """Rounds of requests; each further round retries the rows whose failure may be temporary."""
    imports: list[Import] = Field(default=[], examples=[[{"kind": "redcaps_folder", "source": "/data/redcaps/images"}]])
    """Images that you already have; missing ones are fetched."""
    max_side: int = quantity(512, unit="px", gt=0, examples=[256])
    """Maximum length of the longer side of a stored image; larger images are scaled down."""
    jpeg_quality: int = Field(default=90, ge=1, le=95, examples=[95])
    """JPEG quality of re-encoded images; smaller images keep their encoded pixels."""
    min_side: int = quantity(16, unit="px", gt=0, examples=[32])
    """Minimum length of the shorter side; smaller images end as too_small."""
    max_aspect: float = Field(default=20, ge=1, examples=[10])
    """Maximum ratio of the longer to the shorter side; above it, an image ends as aspect."""
    max_pixels: int = quantity(89_478_485, unit="px", gt=0, le=89_478_485, examples=[40_000_000])
    """Maximum number of pixels; larger images are not decoded."""
    max_bytes: int = quantity(32 << 20, unit="bytes", gt=0, examples=[16 << 20])
    """Maximum size of a response; reading stops there."""
    placeholder_sha256: list[str] = Field(
        default=["9b5936f4006146e4e1e9025b474c02863c0b5614132ad40db4b925a10e8bfbb9"], examples=[["0" * 64]]
    )
    """sha256 of placeholders as served; the default is Imgur's, of 161 x 81 px."""
    hosts: dict[str, HostPolicy] = Field(default=HOSTS, examples=[{"i.imgur.com": {"rate": 5, "connections": 8}}])
    """Limits by host name or pattern; hosts that match a pattern share its limits, and each host under 'default' has
    its own."""
    share_of_rate: int | None = quantity(None, unit="jobs", ge=1, examples=[4])
    """null: all jobs in one results folder share each host's limits by locks in results/.hosts. N: no locks, and each
    job requests at 1/N of the rates, for at most N jobs at a time."""
    attempts: int = quantity(4, unit="requests", gt=0, examples=[2])
    """Maximum number of requests per URL, not counting redirects."""
    backoff: float = quantity(1.0, unit="s", gt=0, examples=[0.5])
    """Pause before the second request of a URL; doubles each time."""
    deadline: float = quantity(60.0, unit="s", gt=0, examples=[30])
    """Maximum duration of a request, including the body."""
    contact: str = Field(default="", examples=["you@example.org"])
    """Email address or web page for site owners; part of the User-Agent."""
    respect_robots_tag: bool = Field(default=True, examples=[False])
    """Rows whose response has an X-Robots-Tag with noai or noimageai end as noai."""
    allow_addresses: list[str] = Field(default=[], examples=[["127.0.0.0/8"]])
    """Private networks that may be contacted."""
    connect_to: dict[str, str] = Field(default={}, examples=[{"i.redd.it": "127.0.0.1:8731"}])
    """Address and port to connect to in place of a host."""
    min_ok_share: float = quantity(0.0, unit="share of rows", ge=0, le=1, examples=[0.5])
    """The job stops if fewer of its last 200 rows were ok, instead of recording failures."""

    @field_validator("hosts")
    @classmethod
    def _with_default(cls, hosts: dict[str, HostPolicy]) -> dict[str, HostPolicy]:
        if "default" not in hosts:
            raise ValueError("hosts needs an entry 'default'")
        return hosts

    @field_validator("allow_addresses")
    @classmethod
    def _networks(cls, networks: list[str]) -> list[str]:
        return [str(ipaddress.ip_network(network)) for network in networks]

    @field_validator("connect_to")
    @classmethod
    def _addresses(cls, targets: dict[str, str]) -> dict[str, str]:
        for target in targets.values():
            address, _, port = target.rpartition(":")
            ipaddress.ip_address(address.strip("[]"))
            if not port.isdigit() or not 0 < int(port) < 65536:
                raise ValueError(f"{target!r} is not address:port")
        return targets
