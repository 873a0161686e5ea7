"""Grad-CAM maps of one checkpoint scored against the object masks of one downstream set."""

from workflow_scripts.core.stage import Job, run_stage
from workflow_scripts.evaluation.settings.saliency import Saliency


def saliency(job: Job[Saliency]) -> None:
    """Score the set's masked test images."""
    from workflow_scripts.core.files.tables import write_table
    from workflow_scripts.core.shards import dataset_images
    from workflow_scripts.evaluation.downstream import load_downstream
    from workflow_scripts.evaluation.linear_probe.heads import load_head
    from workflow_scripts.evaluation.saliency.maps import SaliencyPlan, evaluate_saliency
    from workflow_scripts.evaluation.saliency.masks import dataset_masks
    from workflow_scripts.evaluation.saliency.tables import image_table, result_table, write_examples
    from workflow_scripts.models.backbones import load_backbone

    run, settings = job.input("run"), job.settings
    network, facts = load_backbone(run.path(f"/{job.unit['step']}.safetensors"), run.path("/run.json"))
    options = settings.model_dump(exclude={"resamples", "level"})
    size = int(facts["preprocessing"]["size"])
    plan = SaliencyPlan(**options, size=size, device=job.device, workers=job.workers)
    dataset = job.input("dataset")
    data = load_downstream(dataset, job.input("features"))
    head = load_head(job.input("probe").path(".head.safetensors"))
    images, masks = dataset_images(dataset), dataset_masks(dataset)
    result = evaluate_saliency(network, data, head, images, masks, plan)
    write_table(job.file(".parquet"), image_table(result))
    write_table(job.file(".results.parquet"), result_table(result, settings.resamples, settings.level, settings.seed))
    write_examples(job.file(".examples.npz"), result)
    scored = len(result.keys)
    job.rows(scored + result.left_out.total(), scored, dict(result.left_out))


def main(argv: list[str] | None = None) -> None:
    """The command."""
    run_stage(saliency, Saliency, argv, packages=("torch", "torchvision", "grad-cam", "pillow"))


if __name__ == "__main__":
    main()
