"""The demo's small synthetic world: posts with images and titles, probe tasks, and object masks."""

from collections import Counter
from typing import Literal

from pydantic import Field, NonNegativeInt, model_validator

from workflow_scripts.core.declaration.facts import Cost, Facts, File, Resources
from workflow_scripts.core.runtime.stage import Job, Stage, run_stage
from workflow_scripts.core.settings import quantity
from workflow_scripts.demo.world.settings import World

Fault = Literal["oversized", "dead_link", "placeholder", "html_answer", "empty_caption", "repeated_id"]


class DemoWorld(World):
    """The demo's synthetic data: what its images show, how many there are, and faults."""

    seed: int = Field(0, ge=0, examples=[1])
    """Seed of all images, titles and faults."""
    size: int = quantity(48, unit="px", ge=16, le=512, examples=[64])
    """Side of the images."""
    images: int = quantity(3000, unit="posts", ge=12, le=40_000, examples=[500])
    """Posts whose image can be fetched and that have a caption."""
    faults: dict[Fault, NonNegativeInt] = quantity(
        {"oversized": 40, "dead_link": 60, "placeholder": 30, "html_answer": 5, "empty_caption": 8, "repeated_id": 12},
        unit="posts",
        examples=[{"dead_link": 10}],
    )
    """oversized: images posted at twice the side length, so that they are scaled down. Further posts whose URL answers
    with 404 (dead_link), leads to removed.png (placeholder) or answers with a web page (html_answer), and without a
    caption (empty_caption); further rows that repeat an image id of the same file (repeated_id). Those left out do not
    occur."""
    probe_train: int = quantity(600, unit="images", ge=12, examples=[200])
    """Training images of each downstream task."""
    probe_test: int = quantity(400, unit="images", ge=12, examples=[100])
    """Test images of each downstream task."""
    masks: int = quantity(204, unit="images", ge=12, examples=[60])
    """Images with object masks."""

    @model_validator(mode="after")
    def _fits(self) -> "DemoWorld":
        if max(self.faults.get("oversized", 0), self.faults.get("repeated_id", 0)) > self.images:
            raise ValueError(f"oversized and repeated_id must be at most images, {self.images}")
        return self


def demo_world(job: Job[DemoWorld]) -> None:
    """Generate images, titles, faulty posts, probe tasks and masks."""
    _write_feed(job)
    _write_probes(job)
    _write_masks(job)


def _write_feed(job: Job[DemoWorld]) -> None:
    from workflow_scripts.core.files.tables import write_table
    from workflow_scripts.demo.world import feed

    settings = job.settings
    counts = Counter({str(fault): count for fault, count in settings.faults.items()})
    good = list(feed.good_posts(settings.seed, settings.images, counts.pop("oversized", 0), settings.size, settings))
    faulty = list(feed.faulty_posts(settings.seed, settings.images, counts, settings.size, settings))
    posts = good + [post for _, post in faulty]
    repeated = list(feed.repeats(good, counts["repeated_id"]))
    feed.write_zip(job.file(".annotations.zip"), feed.annotation_files(posts + repeated), compress=True)
    members = {post.path: post.picture for post in sorted(posts, key=lambda post: post.path) if post.picture}
    lost = [post for fault, post in faulty if fault == "placeholder"]
    pages = [post for fault, post in faulty if fault == "html_answer"]
    members |= {feed.PLACEHOLDER: feed.placeholder(), "routes.json": feed.routes(lost, pages)}
    feed.write_zip(job.file(".images.zip"), members)
    write_table(job.file(".truth.parquet"), feed.truth_table(good))
    job.rows(len(posts) + len(repeated), len(good), dict(counts))


def _write_probes(job: Job[DemoWorld]) -> None:
    from workflow_scripts.demo.world.feed import probe_members, probe_pictures, write_tar
    from workflow_scripts.demo.world.settings import LABELS

    settings = job.settings
    pictures = probe_pictures(settings.seed, settings.probe_train, settings.probe_test, settings.size, settings)
    for task in LABELS:
        write_tar(job.file(f".probe_{task}.tar"), probe_members(pictures, task))


def _write_masks(job: Job[DemoWorld]) -> None:
    from workflow_scripts.core.files.tables import write_table
    from workflow_scripts.demo.world.feed import label_table, masked_pictures, write_tar

    settings = job.settings
    members, labels = {}, {}
    for name, concept, picture, mask in masked_pictures(settings.seed, settings.masks, settings.size, settings):
        members[f"images/{name}.png"], members[f"masks/{name}.png"] = picture, mask
        labels[name] = concept
    table = job.work / "labels.parquet"
    write_table(table, label_table(labels))
    write_tar(job.file(".masks.tar"), {**members, "labels.parquet": table.read_bytes()})


STAGE = Stage(run=demo_world, settings=DemoWorld, artifact="world", packages=("numpy", "pillow", "pyarrow"))

FACTS = Facts(
    files={
        ".annotations.zip": File("the demo's annotations, as RedCaps writes them"),
        ".images.zip": File("its images, and the responses of its server to faulty links"),
        ".truth.parquet": File("what each image shows, and what its title says"),
        ".probe_*.tar": File("probe sets by task"),
        ".masks.tar": File("images with object masks"),
    },
    resources=Resources(minutes=30, memory_mb=2_000),
    cost=Cost(per="image", units=lambda load: load.settings["images"], core_ms=2.7, source="demo study"),
    section="demo_world",
    names=lambda units: ["world"] if units.study.demo_world else [],
)

if __name__ == "__main__":
    run_stage(STAGE)
