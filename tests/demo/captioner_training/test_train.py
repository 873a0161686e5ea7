"""The training script in small: the same seed gives the same weights, and the losses go down."""

import logging
import re

import numpy as np
import torch

from workflow_scripts.demo.captioner_training.data import PROPERTIES
from workflow_scripts.demo.captioner_training.losses import PropertyHeads
from workflow_scripts.demo.captioner_training.models import words
from workflow_scripts.demo.captioner_training.train import Plan, train

TINY = Plan(pictures=24, size=24, patch=6, layers=1, vision_steps=20, joint_steps=20, batch=8)


def test_training_is_a_function_of_the_seed():
    torch.set_num_threads(1)
    one, two = train(TINY, workers=1), train(TINY, workers=2)
    for a, b in zip(one, two, strict=True):
        assert all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))
    assert one[1].vision_model is one[0].vision_model and not one[0].training


def test_the_losses_fall_below_chance(caplog):
    """On 24 pictures; chance is log(number of values), weighted and summed, and log(vocabulary) per token."""
    plan = Plan(pictures=24, size=24, patch=12, layers=1, vision_steps=100, joint_steps=100, batch=8)
    with caplog.at_level(logging.INFO):
        train(plan, workers=1)
    chance = sum(w * np.log(len(v)) for w, v in zip(PropertyHeads.weights, PROPERTIES.values(), strict=True))
    assert float(re.findall(r"vision step 100 of 100: loss ([\d.]+)", caplog.text)[0]) < 0.8 * chance
    assert float(re.findall(r"joint step 100 of 100:.*caption ([\d.]+)", caplog.text)[0]) < 0.4 * np.log(len(words()))
