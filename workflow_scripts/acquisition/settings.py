"""Settings of the download stage."""

import ipaddress
from typing import Literal

from pydantic import Field, field_validator

from workflow_scripts.core.settings import Settings


class HostPolicy(Settings):
    """How politely one host is asked."""

    rate: float = Field(gt=0, description="requests per second")
    connections: int = Field(gt=0, le=256, description="concurrent requests")


class Import(Settings):
    """Images that somebody downloaded before: they are used as if they had been fetched."""

    kind: Literal["redcaps_folder", "img2dataset"] = Field(
        description="redcaps_folder: <subreddit>/<image_id>.jpg, as RedCaps' own tool makes it; "
        "img2dataset: its tar shards (webdataset) or parquet shards, found by url"
    )
    source: str = Field(min_length=1, description="path of the folder")


def _default_hosts() -> dict[str, HostPolicy]:
    return {
        "i.redd.it": HostPolicy(rate=20, connections=16),
        "i.imgur.com": HostPolicy(rate=5, connections=8),
        "*.staticflickr.com": HostPolicy(rate=10, connections=8),
        "default": HostPolicy(rate=2, connections=2),
    }


class Download(Settings):
    """What is fetched, how politely, and what becomes of the bytes."""

    keep: Literal["fetched", "prepared"] = Field(
        default="fetched",
        description="what results/.fetched keeps of an image: bytes as received, so that other sizes and code request "
        "nothing; or what goes into the tar, about a tenth of that, which serves only these image settings",
    )
    rounds: int = Field(
        default=1,
        ge=1,
        le=1000,
        description="number of rounds that request failures which may be temporary, over all runs",
    )
    imports: list[Import] = Field(default=[], description="where images already are; missing ones are fetched")
    max_side: int = Field(default=512, gt=0, description="longer side of a stored image, in pixels")
    jpeg_quality: int = Field(default=90, ge=1, le=95, description="quality of re-encoded images")
    min_side: int = Field(default=16, gt=0, description="shorter side below which an image is too_small, in pixels")
    max_aspect: float = Field(default=20, ge=1, description="longer over shorter side above which the state is aspect")
    max_pixels: int = Field(
        default=89_478_485, gt=0, le=89_478_485, description="pixels above which nothing is decoded"
    )
    max_bytes: int = Field(default=32 << 20, gt=0, description="bytes of a response above which reading stops")
    animated: Literal["first_frame", "refuse"] = Field(
        default="first_frame", description="animated images: keep their first frame, or end as state animated"
    )
    placeholder_names: list[str] = Field(
        default=["removed.png", "photo_unavailable.png", "photo_unavailable.gif"],
        description="file names of hosts' placeholders for a removed image",
    )
    placeholder_sha256: list[str] = Field(
        default=["9b5936f4006146e4e1e9025b474c02863c0b5614132ad40db4b925a10e8bfbb9"],
        description="sha256 of known placeholders as served (the default is Imgur's 161 x 81 picture)",
    )
    hosts: dict[str, HostPolicy] = Field(
        default_factory=_default_hosts,
        description="policy by host name pattern; one budget per pattern, and one per host under 'default'",
    )
    share_of_rate: int | None = Field(
        default=None,
        ge=1,
        description="null: all jobs below one results folder share each host's budget through locks in results/.hosts; "
        "N: no locks, and each job asks at an N-th of the rates, for N jobs at once at most",
    )
    max_connections: int = Field(default=64, gt=0, description="concurrent URLs, all hosts together")
    attempts: int = Field(default=4, gt=0, description="maximum requests per URL, redirects not counted")
    backoff: float = Field(default=1.0, gt=0, description="seconds before the second attempt; doubles from there")
    max_wait: float = Field(default=300.0, gt=0, description="longest pause in seconds, of Retry-After and of backoff")
    deadline: float = Field(default=60.0, gt=0, description="seconds that one request may take, body included")
    max_redirects: int = Field(default=5, ge=0, description="redirects followed per url")
    seed: int = Field(default=0, description="seed of the jitter of pauses")
    user_agent: str = Field(
        default="faithful-pairs/0.1 (image downloader for research)", min_length=1, description="User-Agent, truthful"
    )
    contact: str = Field(default="", description="email address or web page for site owners, added to the User-Agent")
    respect_robots_tag: bool = Field(
        default=True, description="end rows as noai if the response's X-Robots-Tag says so (noai, noimageai)"
    )
    allow_addresses: list[str] = Field(
        default=[], description="private networks that may be contacted, such as 127.0.0.0/8"
    )
    connect_to: dict[str, str] = Field(
        default={}, description="host name -> address:port to connect to in its place, such as 127.0.0.1:8731"
    )
    serve_host: str = Field(
        default="world.invalid", description="host name that the demo's own image server answers for"
    )
    min_ok_share: float = Field(
        default=0.0, ge=0, le=1, description="the job stops if the share of ok rows among the last ok_window is lower"
    )
    ok_window: int = Field(default=200, ge=10, description="number of latest rows that min_ok_share counts")

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
