"""A device that works while images are decoded, or does not, without a clock."""

import threading

from PIL import Image

PATIENCE = 5  # seconds; only a reader without overlap takes them


class Overlap:
    """Images that are decoded for a device; stands in for :class:`~workflow_scripts.core.shards.TarImages`.

    An image's decoding starts while the device works or, if the device waits for that image, at once. The device ends a
    batch once the decoding of all images of the next one has started.

    Attributes:
        during: images whose decoding started while the device worked.
        ahead: most images that were decoded and not yet passed to the device.
    """

    def __init__(self, images: int, batch: int) -> None:
        self.images, self.batch = images, batch
        self.during, self.ahead = 0, 0
        self._started: set[int] = set()
        self._done, self._working = 0, False
        self._changed = threading.Condition()

    def __len__(self) -> int:
        return self.images

    def image(self, row: int) -> Image.Image:
        """An image that shows its row."""
        with self._changed:
            self._changed.wait_for(lambda: self._working or row < self._done + self.batch, PATIENCE)
            self._started.add(row)
            self.during += self._working
            self.ahead = max(self.ahead, len(self._started) - self._done)
            self._changed.notify_all()
        return Image.new("RGB", (2, 2), (row, 0, 0))

    def work(self) -> None:
        """Pass a batch through the device."""
        with self._changed:
            self._working, self._done = True, self._done + self.batch
            following = set(range(self._done, min(self._done + self.batch, self.images)))
            self._changed.notify_all()
            self._changed.wait_for(lambda: following <= self._started, PATIENCE)
            self._working = False
            self._changed.notify_all()
