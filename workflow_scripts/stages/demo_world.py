"""The demo's own small world: posts with pictures and titles, probe tasks, and object masks."""

from workflow_scripts.core.stage import Job, run_stage
from workflow_scripts.demo.settings.demo_world import DemoWorld


def demo_world(job: Job[DemoWorld]) -> None:
    """Draw everything; titles and faults come with the pictures."""
    _write_feed(job)
    _write_probes(job)
    _write_masks(job)


def _write_feed(job: Job[DemoWorld]) -> None:
    from workflow_scripts.core.files.tables import write_table
    from workflow_scripts.demo.world.archives import write_zip
    from workflow_scripts.demo.world.faults import (
        PLACEHOLDER,
        annotation_files,
        faulty_posts,
        good_posts,
        repeats,
        routes,
    )
    from workflow_scripts.demo.world.placeholder import placeholder
    from workflow_scripts.demo.world.truth import truth_table

    s = job.settings
    shares = (s.faithful, s.partial, s.vague, s.wrong)
    good = list(good_posts(s.seed, s.images, s.oversized, s.size, shares))
    counts = {"dead_link": s.dead_links, "placeholder": s.placeholders}
    counts |= {"html_answer": s.html_answers, "empty_caption": s.empty_captions}
    faulty = list(faulty_posts(s.seed, s.images, counts, s.size, shares))
    posts = good + [one for _, one in faulty]
    again = list(repeats(good, s.repeated_ids))
    write_zip(job.file(".annotations.zip"), annotation_files(posts + again), compress=True)
    members = {one.path: one.picture for one in sorted(posts, key=lambda one: one.path) if one.picture}
    lost = [one for fault, one in faulty if fault == "placeholder"]
    pages = [one for fault, one in faulty if fault == "html_answer"]
    members |= {PLACEHOLDER: placeholder(), "routes.json": routes(lost, pages)}
    write_zip(job.file(".images.zip"), members)
    write_table(job.file(".truth.parquet"), truth_table(good))
    job.rows(len(posts) + len(again), len(good), {**counts, "repeated_id": len(again)})


def _write_probes(job: Job[DemoWorld]) -> None:
    from workflow_scripts.demo.world.archives import write_tar
    from workflow_scripts.demo.world.probes import TASKS, probe_members, probe_pictures

    s = job.settings
    pictures = probe_pictures(s.seed, s.probe_train, s.probe_test, s.size)
    for task in TASKS:
        write_tar(job.file(f".probe_{task}.tar"), probe_members(pictures, task))


def _write_masks(job: Job[DemoWorld]) -> None:
    from workflow_scripts.core.files.tables import write_table
    from workflow_scripts.demo.world.archives import write_tar
    from workflow_scripts.demo.world.probes import label_table, masked_pictures

    s = job.settings
    members, labels = {}, {}
    for name, concept, picture, mask in masked_pictures(s.seed, s.masks, s.size):
        members[f"images/{name}.png"], members[f"masks/{name}.png"] = picture, mask
        labels[name] = concept
    table = job.work / "labels.parquet"
    write_table(table, label_table(labels))
    write_tar(job.file(".masks.tar"), {**members, "labels.parquet": table.read_bytes()})


def main(argv: list[str] | None = None) -> None:
    """The stage's command."""
    run_stage(demo_world, DemoWorld, argv, packages=("numpy", "pillow", "pyarrow"))


if __name__ == "__main__":
    main()
