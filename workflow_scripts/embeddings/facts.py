"""Facts that stages of embeddings share, each with what differs replaced."""

from workflow_scripts.core.declaration.facts import DECODING_MS, Cost, Facts, File, Resources, Tolerance

WIDTH = 768  # dimensions that estimates of disk and cost assume: the most of the encoders in the project's configs

KEYS = File("the key of each row")

IMAGES = Facts(
    files={".npy": File("unit-length rows, float32", Tolerance(1e-5, 0, "3e-7"))},
    environment="train",
    resources=Resources(minutes=720, memory_mb=16_000, data=lambda load: load.images * 500, workers=True, gpu=True),
    cost=Cost(
        per="image",
        units=lambda load: load.images,
        core_ms=DECODING_MS,
        gflop=lambda _: 162,
        source="measured decoding; counted: CLIP ViT-L/14",
    ),
    disk=lambda load: load.rows * WIDTH * 4,
    section="image_encoders.{encoder}",
    sources={"encoder": "encoder-{encoder}"},
)

CAPTIONS = Facts(
    files={},
    environment="train",
    resources=Resources(minutes=480, memory_mb=8_000, data=lambda load: load.images * 3_500, workers=True, gpu=True),
    cost=Cost(
        per="caption",
        units=lambda load: load.images,
        core_ms=0.1,
        gflop=lambda _: 5.5,
        source="counted: all-mpnet-base-v2, 32 tokens; tokenizing twice measured",
    ),
    disk=lambda load: load.rows * WIDTH * 4,
    section="text_encoders.{encoder}",
    sources={"encoder": "encoder-{encoder}"},
)
