"""The final state of each row of a download."""

from enum import StrEnum


class State(StrEnum):
    """Final states, explained by the comments. The data card counts them."""

    OK = "ok"  # an image is stored
    HTTP_4XX = "http_4xx"  # the host refused (404, 410, 403...); http_status has the code
    HTTP_5XX = "http_5xx"  # the host failed on every attempt; http_status has the code
    RATE_LIMITED = "rate_limited"  # 429 on every attempt, even at a lower rate
    BAD_RESPONSE = "bad_response"  # not HTTP, or an unusable status (3xx without target, 206, 600...)
    DNS = "dns"  # the host name has no address
    CONNECT = "connect"  # no connection
    TLS = "tls"  # no trustworthy encrypted connection
    TIMEOUT = "timeout"  # the deadline passed on every attempt
    RESET = "reset"  # the connection ended before the response did
    BLOCKED_ADDRESS = "blocked_address"  # a loopback, link-local, private or otherwise not public address
    BAD_URL = "bad_url"  # the URL, or a redirect's target, is not http(s) with a host
    REDIRECT_LOOP = "redirect_loop"  # more redirects than allowed
    NOAI = "noai"  # the response's X-Robots-Tag says noai or noimageai
    PLACEHOLDER = "placeholder"  # the host's placeholder for a removed image
    EMPTY = "empty"  # a response without bytes
    TOO_LARGE = "too_large"  # more bytes than allowed; reading stopped there
    NOT_AN_IMAGE = "not_an_image"  # not a JPEG, PNG, WebP, GIF or BMP, such as a web page
    TRUNCATED = "truncated"  # an image that ends early
    CORRUPT = "corrupt"  # an image that cannot be decoded
    DECOMPRESSION_BOMB = "decompression_bomb"  # more pixels or scans than allowed; not decoded
    TOO_SMALL = "too_small"  # shorter side below the limit
    ASPECT = "aspect"  # longer over shorter side above the limit


RETRYABLE = frozenset(
    {State.HTTP_5XX, State.RATE_LIMITED, State.DNS, State.CONNECT, State.TIMEOUT, State.RESET, State.BAD_RESPONSE}
)
"""States of one attempt after which the same URL is requested again."""

IMPORTED = "imported"
"""State of an attempt whose bytes came from a folder, without a request."""

DAMAGED = frozenset({State.NOT_AN_IMAGE, State.TRUNCATED, State.CORRUPT})
"""States of bytes that another tool may have stored incompletely or in place of an image."""
