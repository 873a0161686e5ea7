"""A made-up downstream set with features, for the tests of probe, few-shot and saliency."""

import numpy as np

from workflow_scripts.evaluation.downstream import Downstream


def downstream(classes: int = 3, n: int = 240, d: int = 8, metric: str = "accuracy", noise: float = 1.0) -> Downstream:
    """Gaussian classes, 60 % train, 15 % val, 25 % test, in mixed order."""
    rng = np.random.default_rng(classes * 1000 + n)
    labels = rng.integers(0, classes, n).astype(np.int32)
    features = (rng.normal(size=(classes, d))[labels] + noise * rng.normal(size=(n, d))).astype(np.float32)
    split = rng.choice(["train", "val", "test"], n, p=[0.6, 0.15, 0.25])
    keys = np.array([f"k{i:04d}" for i in range(n)])
    return Downstream("made_up", [f"c{i}" for i in range(classes)], metric, keys, labels, split, features)
