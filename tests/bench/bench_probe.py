"""The linear probe's sweep over C against scikit-learn's LogisticRegression, to the same objective.

Run: python tests/bench/bench_probe.py [FILE.npz [COSTS]]. The file has features x (n, d) and labels y (n,). Without it,
there are 50,000 made-up rows of 512 features as networks give them: correlated, not negative, of different scales.
COSTS is a list such as 1e-4,1e-2,1.

For each C, scikit-learn (lbfgs) is fitted from zero at a falling tolerance until its objective is at most 1e-6 above
ours, relative to it; only its last, successful fit is counted. A fit that ends at ``ITERATIONS`` counts as it is. The
ratio is its seconds / our seconds over all C. Wanted: 5 or more.
"""

import json
import sys
import time
import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from workflow_scripts.evaluation.downstream import Downstream
from workflow_scripts.evaluation.linear_probe.probe import Fitter
from workflow_scripts.evaluation.linear_probe.settings import LinearProbe

ROWS, WIDTH, CLASSES, WRONG_LABELS = 50_000, 512, 10, 0.1
CLOSE, ITERATIONS = 1e-6, 2000


def made_up() -> tuple[np.ndarray, np.ndarray]:
    """Rectified features whose covariance has a power-law spectrum, in columns of log-normal scales; a tenth of the
    labels is wrong, so that the classes can't be separated."""
    rng = np.random.default_rng(0)
    labels, spectrum = rng.integers(0, CLASSES, ROWS), np.arange(1, WIDTH + 1) ** -0.5
    centres = rng.normal(size=(CLASSES, WIDTH)) * spectrum * (np.arange(WIDTH) < 40)
    latent = rng.normal(size=(ROWS, WIDTH)) * spectrum + 0.75 * centres[labels]
    rotation = np.linalg.qr(rng.normal(size=(WIDTH, WIDTH)))[0]
    features = np.maximum(3 * latent @ rotation + 0.3 * rng.normal(size=WIDTH), 0) * np.exp(rng.normal(size=WIDTH))
    wrong = rng.random(ROWS) < WRONG_LABELS
    labels[wrong] = rng.integers(0, CLASSES, wrong.sum())
    return features.astype(np.float32), labels


def objective(features: np.ndarray, labels: np.ndarray, weight: np.ndarray, bias: np.ndarray, cost: float) -> float:
    """Sum of cross entropies + ||W||^2 / (2 C)."""
    scores = features @ weight.T + bias
    top = scores.max(axis=1)
    loss = np.log(np.exp(scores - top[:, None]).sum(axis=1)) + top - scores[np.arange(len(labels)), labels]
    return float(loss.sum() + np.vdot(weight, weight) / (2 * cost))


def twin(features: np.ndarray, labels: np.ndarray, cost: float, wanted: float) -> tuple[float, float, float, int]:
    """Seconds, objective, accuracy and iterations of the first fit that reaches ``wanted`` (or the last one)."""
    for tolerance in (1e-3, 1e-4, 1e-5, 1e-6):
        start = time.perf_counter()
        fit = LogisticRegression(C=cost, tol=tolerance, max_iter=ITERATIONS).fit(features, labels)
        seconds = time.perf_counter() - start
        reached = objective(features, labels, fit.coef_, fit.intercept_, cost)
        if reached <= wanted * (1 + CLOSE) or fit.n_iter_[0] == ITERATIONS:
            break
    return seconds, reached, fit.score(features, labels), int(fit.n_iter_[0])


def main() -> None:
    """Fit all C in turn; print a JSON line for each C and one with the ratio."""
    warnings.simplefilter("ignore", ConvergenceWarning)
    given = np.load(sys.argv[1], allow_pickle=False) if len(sys.argv) > 1 else None
    features, labels = made_up() if given is None else (given["x"], given["y"])
    defaults = LinearProbe()
    costs = [float(cost) for cost in sys.argv[2].split(",")] if len(sys.argv) > 2 else defaults.costs
    names = [str(label) for label in range(int(labels.max()) + 1)]
    keys, split = np.arange(len(labels)).astype(str), np.full(len(labels), "train")
    data = Downstream("bench", names, "accuracy", keys, labels, split, features)
    start = time.perf_counter()
    fitter = Fitter(data, np.arange(len(labels)), "sklearn", defaults.max_iter, {}, "cpu")
    heads, ours = {}, [time.perf_counter() - start]
    for cost in costs:
        start = time.perf_counter()
        heads[cost] = fitter(cost)
        ours.append(time.perf_counter() - start)
    theirs, exact = 0.0, features.astype(np.float64)
    for cost, seconds in zip(costs, ours[1:], strict=True):
        head = heads[cost]
        wanted = objective(exact, labels, head.weight.astype(float), head.bias.astype(float), cost)
        other, reached, accuracy, iterations = twin(exact, labels, cost, wanted)
        theirs += other
        facts = {"c": cost, "seconds": seconds, "sklearn_seconds": other, "sklearn_iterations": iterations}
        facts |= {"objective": wanted, "sklearn_above": reached / wanted - 1}
        facts |= {"accuracy": float((head.predict(features) == labels).mean()), "sklearn_accuracy": accuracy}
        sys.stdout.write(json.dumps(facts) + "\n")
        sys.stdout.flush()
    facts = {"bench": "probe", "rows": list(features.shape), "ratio": round(theirs / sum(ours), 2)}
    sys.stdout.write(json.dumps({**facts, "seconds": sum(ours), "sklearn_seconds": theirs}) + "\n")


if __name__ == "__main__":
    main()
