"""What the posts of the demo world show, for evaluation only: no stage that makes pairs or captions reads it."""

from collections.abc import Sequence

import pyarrow as pa

from workflow_scripts.demo.world.posts import Post


def truth_table(posts: Sequence[Post]) -> pa.Table:
    """Table image_id, concept, colour, texture, size, scene, faithful (all string), in the order of the posts.

    `faithful` is the title's level: faithful, partial, vague or wrong.
    """
    columns = {"image_id": [one.image_id for one in posts]}
    for name in ("concept", "colour", "texture", "size", "scene"):
        columns[name] = [getattr(one.spec, name) for one in posts]
    return pa.table({**columns, "faithful": [one.level for one in posts]})
