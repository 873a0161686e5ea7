"""The picture that an image host serves in place of a removed one."""

import io

from PIL import Image, ImageDraw


def placeholder() -> bytes:
    """PNG bytes of a grey 161 x 81 picture that says nothing, the size of Imgur's `removed.png`."""
    image = Image.new("RGB", (161, 81), (34, 34, 34))
    draw = ImageDraw.Draw(image)
    draw.rectangle((20, 24, 140, 56), outline=(200, 200, 200), width=2)
    draw.line((20, 24, 140, 56), fill=(200, 200, 200), width=2)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
