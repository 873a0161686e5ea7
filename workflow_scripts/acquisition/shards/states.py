"""The one final state in which each row of a download ends."""

from enum import StrEnum


class State(StrEnum):
    """Final states. The comment behind each says when; the data card counts them."""

    OK = "ok"  # an image is stored
    HTTP_4XX = "http_4xx"  # the host refused (404, 410, 403...); http_status has the code
    HTTP_5XX = "http_5xx"  # the host failed at every attempt; http_status has the code
    RATE_LIMITED = "rate_limited"  # 429 at every attempt, although the host was asked more slowly
    BAD_RESPONSE = "bad_response"  # no HTTP, or a status that means nothing here (3xx without target, 206, 600...)
    DNS = "dns"  # the host name has no address
    CONNECT = "connect"  # no connection
    TLS = "tls"  # no trustworthy encrypted connection
    TIMEOUT = "timeout"  # the deadline passed at every attempt
    RESET = "reset"  # the connection ended before the answer did
    BLOCKED_ADDRESS = "blocked_address"  # a loopback, link-local, private or otherwise not public address
    BAD_URL = "bad_url"  # the url, or one redirected to, is not http(s) with a host
    REDIRECT_LOOP = "redirect_loop"  # more redirects than allowed
    NOAI = "noai"  # the answer's X-Robots-Tag says noai or noimageai
    PLACEHOLDER = "placeholder"  # the host's stand-in for a removed image
    EMPTY = "empty"  # an answer without bytes
    TOO_LARGE = "too_large"  # more bytes than allowed; reading stopped there
    NOT_AN_IMAGE = "not_an_image"  # bytes that are no JPEG, PNG, WebP, GIF or BMP, such as a web page
    TRUNCATED = "truncated"  # an image that ends early
    CORRUPT = "corrupt"  # an image that cannot be decoded
    DECOMPRESSION_BOMB = "decompression_bomb"  # more pixels or passes over them than allowed; not decoded
    TOO_SMALL = "too_small"  # shorter side below the limit
    ASPECT = "aspect"  # longer over shorter side above the limit
    ANIMATED = "animated"  # several frames, and the settings refuse them


RETRYABLE = frozenset(
    {State.HTTP_5XX, State.RATE_LIMITED, State.DNS, State.CONNECT, State.TIMEOUT, State.RESET, State.BAD_RESPONSE}
)
"""States of one attempt after which the same URL is requested again."""

DAMAGED = frozenset({State.NOT_AN_IMAGE, State.TRUNCATED, State.CORRUPT})
"""States of bytes that another tool may have stored half or in place of an image."""
