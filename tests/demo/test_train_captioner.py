"""The training script in small: the same seed gives the same weights, and the losses go down."""

import logging
import re

import torch

from workflow_scripts.demo.train_captioner import Plan, train

TINY = Plan(pictures=24, size=24, patch=6, layers=1, vision_steps=20, joint_steps=20, batch=8)


def test_training_is_a_function_of_the_seed():
    torch.set_num_threads(1)
    one, two = train(TINY, workers=1), train(TINY, workers=2)
    for a, b in zip(one, two, strict=True):
        assert all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))
    assert one[1].vision_model is one[0].vision_model and not one[0].training


def test_the_losses_go_down(caplog):
    with caplog.at_level(logging.INFO):
        train(Plan(pictures=24, size=24, patch=6, layers=1, vision_steps=200, joint_steps=200, batch=12), workers=1)
    joint = [float(value) for value in re.findall(r"joint step \d+ of 200:.*caption ([\d.]+)", caplog.text)]
    vision = [float(value) for value in re.findall(r"vision step \d+ of 200: loss ([\d.]+)", caplog.text)]
    assert len(joint) == len(vision) == 2 and joint[1] < joint[0] < 2 and vision[1] < vision[0]
