"""Facts that stages of embeddings share, each with what differs replaced, and those of searches in them."""

from collections.abc import Callable

from workflow_scripts.core.declaration.facts import DECODING_MS, Cost, Facts, File, Load, Resources, Tolerance
from workflow_scripts.core.runtime.environment import faiss_on_gpu

WIDTH = 768  # dimensions that estimates of disk and cost assume: the most of the encoders in the project's configs
SEARCH_MS = 2.2e-5  # time of one core to compare two vectors of that width, by FAISS on a CPU

KEYS = File("the key of each row")

IMAGES = Facts(
    files={".npy": File("unit-length rows, float32", Tolerance(1e-5, 0, "3e-7")), ".keys.parquet": KEYS},
    environment="train",
    resources=Resources(
        minutes=720, memory_mb=16_000, data=lambda load: load.images * 500, workers=True, gpu_mb=lambda _: 8_000
    ),
    cost=Cost(
        per="image",
        units=lambda load: load.images,
        core_ms=DECODING_MS,
        gflop=lambda _: 162,
        source="measured decoding; counted: CLIP ViT-L/14",
    ),
    disk=lambda load: load.rows * WIDTH * 4,
    section="image_encoders.{encoder}",
    settings=lambda units, unit: units.run_seen(unit["encoder"]),
    sources={"encoder": "encoder-{encoder}"},
)

CAPTIONS = Facts(
    files={},
    environment="train",
    resources=Resources(
        minutes=480, memory_mb=8_000, data=lambda load: load.images * 3_500, workers=True, gpu_mb=lambda _: 2_000
    ),
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


def search_resources(data: Callable[[Load], float]) -> Resources:
    """What a search by FAISS requests; ``data``: bytes of memory for its data."""
    gpu = faiss_on_gpu()
    gpu_mb = (lambda load: 2_000 + load.images * WIDTH * 4e-6) if gpu else None
    return Resources(minutes=480, memory_mb=16_000 if gpu else 4_000, data=data, workers=True, gpu_mb=gpu_mb)


def search_cost(units: Callable[[Load], float]) -> Cost:
    """The cost of a search by FAISS; ``units``: pairs of vectors that are compared."""
    per, how = "pair of images compared", f"{WIDTH} dimensions, exact search"
    if faiss_on_gpu():
        return Cost(per=per, units=units, core_ms=0, gflop=lambda _: 2e-9 * WIDTH, source=f"counted: {how}")
    return Cost(per=per, units=units, core_ms=SEARCH_MS, source=f"measured: {how}, FAISS on a CPU")
