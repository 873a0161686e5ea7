"""What one unit of each stage's work takes: the numbers behind ``faithful-pairs cost``.

``core_ms`` was measured (CPU time of one x86 server core, on real photos and real annotation rows where the stage reads
such; where a finished demo study is the source, start-up is in it, so it is an upper bound). ``gflop`` was counted by
torch's FlopCounterMode on the published architectures. Neither was measured on a GPU: ``TFLOPS`` is an assumption, and
with it every GPU hour is an estimate. Put your own card's number there.
"""

from dataclasses import dataclass

TFLOPS = 40.0  # sustained, mixed precision: about an eighth of an A100's peak; training of a ResNet reaches 30 to 60
SECONDS_PER_SLURM_JOB = 10.0  # start of a job under SLURM, and of the Snakemake in it
SECONDS_PER_START = 5.0  # of each job in it: another start of Snakemake, imports, checkpoint loading
GROUPS = 350 * 13  # subreddits and years of RedCaps, at most
KEPT = 0.6  # of RedCaps' images, still available: about 7 of 12 million in 2024

# Rows of the annotations, that of 2020 about.
SIZES = {"RedCaps-2020": 3_275_000, "RedCaps": 12_011_121}


@dataclass(frozen=True)
class Rate:
    """Cost of one unit.

    Attributes:
        unit: what is counted.
        core_ms: milliseconds of one core.
        gflop: GPU work in 10^9 floating point operations.
        source: where the numbers come from.
    """

    unit: str
    core_ms: float
    gflop: float
    source: str


VIEW_MS = 2.1  # decoding a 512-pixel JPEG 1.5, crop to 224 and flip 0.4 to 0.55; colours are changed on the GPU

RATES = {
    "annotations": Rate("row", 0.018, 0, "measured on 230,415 real rows"),
    "shard_plan": Rate("row", 0.01, 0, "assumed: half of reading them"),
    "download": Rate("row", 9.2, 0, "measured: 1,600-pixel photos to 512; the wait for hosts is added"),
    "image_index": Rate("image", 0.1, 0, "demo study, upper bound"),
    "data_card": Rate("row", 0.1, 0, "assumed: as image_index"),
    "recaption": Rate("image", 1.7, 1_300, "measured decoding; counted: ViT-g twice 1,041, OPT-2.7b 44 tokens 240"),
    "caption_table": Rate("image", 0.1, 0, "demo study, upper bound"),
    "select_captions": Rate("image", 0.1, 0, "demo study, upper bound"),
    "caption_quality": Rate("image", 1.5, 0.2, "demo study, upper bound"),
    "embed_captions": Rate("caption", 0.05, 5.5, "counted: all-mpnet-base-v2, 32 tokens; tokenizing assumed"),
    "embed_images": Rate("image", 1.7, 162, "measured decoding; counted: CLIP ViT-L/14"),
    "pair_table": Rate("pair of images compared", 0, 2 * 768e-9, "counted: 768 dimensions, exact search"),
    "pair_quality": Rate("image", 0.5, 0, "demo study, upper bound"),
    "pretrain": Rate("view", VIEW_MS, 0, "measured; counted: three times a forward pass of the backbone"),
    "eval_dataset": Rate("labelled image", 0.5, 0, "demo study, upper bound"),
    "features": Rate("labelled image", 1.7, 0, "measured decoding; counted: a forward pass of the backbone"),
    "linear_probe": Rate("labelled image", 2.0, 0, "demo study: 4,408 rows of 128 columns in 2 s; here 512 columns"),
    "few_shot": Rate("episode", 0.15, 0, "demo study, upper bound"),
    "saliency": Rate("image with mask", 60, 0, "demo study, upper bound, on a CPU"),
    "summary": Rate("test item of a checkpoint", 0.02, 0, "demo study, upper bound"),
    "report": Rate("page", 1_000, 0, "demo study"),
    "source": Rate("source", 60_000, 0, "assumed: hashing some gigabytes, a download of a model not included"),
}
