"""Multi-positive contrastive loss (Tian et al. 2023, "StableRep", arXiv 2306.00984)."""

from torch import Tensor

from workflow_scripts.pretraining.losses.views import Views, mean_of_pairs, similarities, soft_cross_entropy


def multi_positive_loss(
    views: Views,
    classes: Tensor,
    temperature: float,
    every: tuple[Views, Tensor] | None = None,
    offset: int = 0,
    weights: Tensor | None = None,
) -> Tensor:
    """Cross-entropy of similarities between views against the same share for each view of the same class.

    For view i, q_ij is the softmax of cosine / temperature over all other views j; p_ij is 1 over the number of other
    views of its class if j is one of them, else 0; its loss is -sum over j of p_ij log q_ij (Tian et al. 2023, eq. 1
    to 3).

    Args:
        views: the m >= 2 views of each pair, (b, d) float each, row by row; rows need not be of unit length.
        classes: (b,) int64, equal for pairs whose views are positives of each other.
        temperature: divides the cosines.
        every: views (n, d each) and classes (n,) of all processes; this process's own when None.
        offset: where this process's rows begin in ``every``.
        weights: (b,) float, of pairs; None: 1.

    Returns:
        Scalar float: mean over this process's m * b views.

    Raises:
        ValueError: wrong shapes, no pairs, or a single view, which has no positive.
    """
    number = len(views)
    if number < 2:
        raise ValueError(f"{number} views per pair, but a view's positives are the others of its pair")
    if classes.shape != views[0].shape[:1]:
        raise ValueError(f"classes have the shape {tuple(classes.shape)} instead of ({len(views[0])},), one per pair")
    all_views, all_classes = (views, classes) if every is None else every
    logits, _ = similarities(views, temperature, all_views, offset)
    same = classes.repeat(number).unsqueeze(1) == all_classes.repeat(number)
    positive = (same & ~logits.isinf()).to(logits.dtype)
    targets = positive / positive.sum(dim=1, keepdim=True)
    return mean_of_pairs(soft_cross_entropy(logits, targets), weights, len(classes))
