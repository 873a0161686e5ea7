"""SigLIP (Zhai et al. 2023, ICCV): cosine of image and caption, trained with a sigmoid loss per pair."""

from functools import partial

from workflow_scripts.models.judge import Judge
from workflow_scripts.models.judges import clip

JUDGE = Judge(
    name="siglip",
    summary="cosine of image and caption by SigLIP",
    needs=("model",),
    scores=("cosine",),
    # All captions are padded to the full length, as in training; the text tower reads the last position.
    load=partial(clip.load, padding="max_length"),
)
