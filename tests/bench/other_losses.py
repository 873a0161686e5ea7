"""Our losses and CLIP's text transformer against those of well-kept libraries, on random inputs.

    python3.11 -m venv /tmp/libraries && /tmp/libraries/bin/pip install lightly==1.6.0 open_clip_torch==3.3.0 pydantic
    PYTHONPATH=. /tmp/libraries/bin/python -m tests.bench.other_losses

The libraries have an environment of their own, since the project needs none of them. A line shows the largest relative
difference of values and of gradients over the sizes in ``SIZES``; for initial weights, of their deviations, which for n
random weights differ by (2n)^-1/2 by chance. NNCLR's loss is not compared, since lightly's also takes views of the same
side as negatives; its search for neighbours is.
"""

from collections.abc import Callable

import torch
from lightly.loss import NegativeCosineSimilarity, NTXentLoss, SwaVLoss
from lightly.models.modules import NNMemoryBankModule
from open_clip.loss import ClipLoss
from open_clip.transformer import QuickGELU, TextTransformer
from torch import Tensor
from torch.nn.functional import normalize

from workflow_scripts.models.text.tower import TextTower
from workflow_scripts.pretraining.losses.contrastive import clip_loss, nt_xent
from workflow_scripts.pretraining.losses.queue import Queue
from workflow_scripts.pretraining.losses.swapped_assignments import sinkhorn, swav_loss
from workflow_scripts.pretraining.methods.simsiam import symmetric_loss

SIZES = ((2, 8), (16, 32), (128, 128), (512, 128))
TEXT = {"width": 128, "layers": 4, "heads": 4, "vocabulary": 1000, "context": 20, "embedding": 64}
Loss = Callable[..., Tensor]


def difference(ours: Tensor, theirs: Tensor) -> float:
    """Largest difference, relative to the norm of theirs."""
    return float((ours - theirs).abs().max() / theirs.abs().max())


def compared(name: str, views: int, ours: Loss, theirs: Loss) -> None:
    """Print the differences of two losses of ``views`` tensors (b, d)."""
    worst = [0.0, 0.0]
    for b, d in SIZES:
        torch.manual_seed(b)
        given = [torch.randn(b, d, requires_grad=True) for _ in range(views)]
        made = []
        for loss in (ours, theirs):
            value = loss(*given)
            made.append((value.detach(), torch.autograd.grad(value, given, allow_unused=True)))
        gradients = [difference(*pair) for pair in zip(made[0][1], made[1][1], strict=True) if pair[1] is not None]
        worst = [max(worst[0], difference(made[0][0], made[1][0])), max(worst[1], *gradients)]
    print(f"{name:32} value {worst[0]:.1e}  gradient {worst[1]:.1e}")


def cosine_pair(p1: Tensor, p2: Tensor, z1: Tensor, z2: Tensor) -> Tensor:
    """SimSiam's loss with lightly's criterion."""
    criterion = NegativeCosineSimilarity()
    found: Tensor = 0.5 * (criterion(p1, z2.detach()) + criterion(p2, z1.detach()))
    return found


def our_swav(one: Tensor, two: Tensor) -> Tensor:
    """SwAV's loss of scores that are cosines."""
    one, two = one / one.norm(dim=1, keepdim=True), two / two.norm(dim=1, keepdim=True)
    return swav_loss((one, two), (sinkhorn(one.detach(), 0.05, 3), sinkhorn(two.detach(), 0.05, 3)), 0.1)


def their_swav(one: Tensor, two: Tensor) -> Tensor:
    """The same with lightly's criterion."""
    one, two = one / one.norm(dim=1, keepdim=True), two / two.norm(dim=1, keepdim=True)
    found: Tensor = SwaVLoss(temperature=0.1, sinkhorn_iterations=3, sinkhorn_epsilon=0.05)([one, two], [])
    return found


def neighbours() -> None:
    """Print in how many of 512 cases the nearest row of a queue is another one than lightly's."""
    theirs, ours = NNMemoryBankModule(size=(4096, 64)), Queue(4096, 64)
    rows = normalize(torch.randn(4096, 64))
    for start in range(0, 4096, 512):
        theirs(rows[start : start + 512], update=True)
        ours.add(rows[start : start + 512])
    wanted = torch.randn(512, 64)
    differs = (ours.nearest(wanted) - normalize(theirs(wanted))).abs().amax(dim=1) > 1e-5
    print(f"{'neighbours (lightly)':32} other {int(differs.sum())} of 512")


def towers() -> tuple[TextTower, TextTransformer]:
    """Our text transformer and open_clip's, each with its own initial weights."""
    ours = TextTower(**TEXT, end=TEXT["vocabulary"] - 1, original=True)
    theirs = TextTransformer(
        context_length=TEXT["context"],
        vocab_size=TEXT["vocabulary"],
        width=TEXT["width"],
        heads=TEXT["heads"],
        layers=TEXT["layers"],
        output_dim=TEXT["embedding"],
        act_layer=QuickGELU,
    )
    return ours, theirs


def named(theirs: TextTransformer) -> dict[str, Tensor]:
    """open_clip's weights by our names."""
    inside = {
        "attn.in_proj_weight": "self_attn.in_proj_weight",
        "attn.in_proj_bias": "self_attn.in_proj_bias",
        "attn.out_proj.": "self_attn.out_proj.",
        "mlp.c_fc.": "linear1.",
        "mlp.c_proj.": "linear2.",
        "ln_1.": "norm1.",
        "ln_2.": "norm2.",
    }
    found = {}
    for name, weight in theirs.state_dict().items():
        own = name.replace("transformer.resblocks.", "layers.")
        for their_part, our_part in inside.items():
            own = own.replace(their_part, our_part)
        own = own.replace("token_embedding.", "token.").replace("positional_embedding", "position")
        own = own.replace("ln_final.", "norm.")
        if own == "text_projection":
            own, weight = "project.weight", weight.T
        if own != "attn_mask":
            found[own] = weight
    return found


def text() -> None:
    """Print the differences of initial deviations, and of vectors by the same weights."""
    torch.manual_seed(0)
    ours, theirs = towers()
    weights = named(theirs)
    own = ours.state_dict()
    assert own.keys() == weights.keys(), own.keys() ^ weights.keys()
    deviations = [abs(float(own[name].std() / weights[name].std()) - 1) for name in own if own[name].dim() > 1]
    print(f"{'initial weights (open_clip)':32} deviation {max(deviations):.1e} of {len(deviations)} matrices")
    ours.load_state_dict(weights)
    tokens = torch.randint(1, TEXT["vocabulary"] - 1, (64, TEXT["context"]))
    tokens[torch.arange(64), torch.randint(2, TEXT["context"], (64,))] = TEXT["vocabulary"] - 1
    with torch.no_grad():
        print(f"{'text vectors (open_clip)':32} value {difference(ours.eval()(tokens), theirs.eval()(tokens)):.1e}")


def main() -> None:
    """Compare all."""
    scale = torch.tensor(2.659)
    compared("NT-Xent (lightly)", 2, lambda a, b: nt_xent(a, b, 0.1), NTXentLoss(temperature=0.1))
    compared("SimSiam (lightly)", 4, lambda a, b, c, d: symmetric_loss((a, b), (c, d)), cosine_pair)
    compared("SwAV (lightly)", 2, our_swav, their_swav)
    clip = ClipLoss()
    compared(
        "CLIP (open_clip)",
        2,
        lambda a, b: clip_loss(a, b, scale),
        lambda a, b: clip(normalize(a), normalize(b), scale.exp()),
    )
    neighbours()
    text()


if __name__ == "__main__":
    main()
