"""The small BLIP-2's tokenizer, and that saved folders load as any BLIP-2 does."""

import torch
from transformers import AutoProcessor, Blip2ForConditionalGeneration, Blip2ForImageTextRetrieval

from tests.demo.captioner_training import models as blip2
from tests.demo.captioner_training.data import ALL
from tests.demo.captioner_training.models import SPECIAL
from tests.demo.captions import caption_of
from workflow_scripts.demo.world.texts import TOPICS, title_of


def test_every_caption_and_title_of_the_world_is_in_the_vocabulary():
    texts = [caption_of(1, "words", index, ALL).text for index in range(600)]
    texts += [title_of(1, "words", index, subreddit, ALL)[1].text for index in range(300) for subreddit in TOPICS]
    encoded = blip2.tokenizer(end=True)([*texts, f"{texts[-1]}, again"])["input_ids"]
    assert SPECIAL.index(blip2.UNKNOWN) not in {token for tokens in encoded for token in tokens}


def test_start_and_end_tokens_and_unknown_words():
    ids = blip2.tokenizer(end=True)("A red Zeppelin, <image>!")["input_ids"]
    start, end, unknown, image = (SPECIAL.index(one) for one in (blip2.START, blip2.END, blip2.UNKNOWN, blip2.IMAGE))
    assert ids[0] == start and ids[-1] == end and ids[3] == unknown and image in ids
    assert blip2.tokenizer(end=False)("a red cup")["input_ids"] == [
        start,
        *blip2.tokenizer(end=True)("a red cup")["input_ids"][1:-1],
    ]
    assert blip2.tokenizer(end=True)("")["input_ids"] == [start, end]


def test_saved_folders_load_with_the_same_weights_and_token_numbers(tmp_path):
    torch.manual_seed(0)
    captioner, matcher = blip2.new_models(48, 12, 1)
    assert matcher.vision_model is captioner.vision_model
    blip2.save(tmp_path / "caption", captioner)
    blip2.save(tmp_path / "match", matcher)
    for name, kind, model in (
        ("caption", Blip2ForConditionalGeneration, captioner),
        ("match", Blip2ForImageTextRetrieval, matcher),
    ):
        loaded, info = kind.from_pretrained(tmp_path / name, output_loading_info=True)
        assert not info["missing_keys"] and not info["unexpected_keys"] and loaded.dtype == torch.float32
        for key, value in model.state_dict().items():
            assert torch.equal(loaded.state_dict()[key], value), key
        processor = AutoProcessor.from_pretrained(tmp_path / name)
        assert processor.tokenizer.convert_tokens_to_ids(list(SPECIAL)) == list(range(len(SPECIAL)))
        assert len(processor.tokenizer) == loaded.config.qformer_config.vocab_size
    assert captioner.config.image_token_index == SPECIAL.index(blip2.IMAGE)
    assert matcher.config.image_token_index is None
