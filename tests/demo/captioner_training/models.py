"""The demo's small BLIP-2: configuration, tokenizer and image processor, all of them transformers' own classes."""

from pathlib import Path

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    Blip2Config,
    Blip2ForConditionalGeneration,
    Blip2ForImageTextRetrieval,
    Blip2Processor,
    Blip2QFormerConfig,
    Blip2VisionConfig,
    BlipImageProcessor,
    OPTConfig,
    PreTrainedTokenizerFast,
)

from workflow_scripts.demo.world.texts import words

PAD, START, END, UNKNOWN, IMAGE = "[PAD]", "[BOS]", "[EOS]", "[UNK]", "<image>"
SPECIAL = (PAD, START, END, UNKNOWN, IMAGE)
QUERIES = 4
MEAN, DEVIATION = 0.5, 0.25
_WIDTH, _HEADS = 96, 4
_SIZES = {"hidden_size": _WIDTH, "intermediate_size": 2 * _WIDTH, "num_attention_heads": _HEADS}


def vocabulary() -> list[str]:
    """Special tokens, then every word and mark of the world's captions and titles."""
    return [*SPECIAL, *"[],", *words()]


def tokenizer(end: bool) -> PreTrainedTokenizerFast:
    """Word-level, lower case, punctuation apart, unknown words as [UNK]; the start token in front, and with `end`
    (matching) the end token behind, as BERT does; without (captioning) as OPT does."""
    numbers = {word: number for number, word in enumerate(vocabulary())}
    made = Tokenizer(models.WordLevel(numbers, unk_token=UNKNOWN))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.add_special_tokens(list(SPECIAL))
    single = f"{START} $A {END}" if end else f"{START} $A"
    made.post_processor = processors.TemplateProcessing(
        single=single, special_tokens=[(START, numbers[START]), (END, numbers[END])]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        bos_token=START,
        eos_token=END,
        pad_token=PAD,
        unk_token=UNKNOWN,
        model_max_length=64,
        padding_side="right",
        clean_up_tokenization_spaces=False,
    )


def config(size: int, patch: int, layers: int, image_token: bool) -> Blip2Config:
    """Configuration of both models; `image_token` for captioning, where image tokens stand in the text."""
    known = len(vocabulary())
    vision = Blip2VisionConfig(
        **_SIZES, num_hidden_layers=layers, image_size=size, patch_size=patch, hidden_act="relu", initializer_range=0.02
    )
    queries = Blip2QFormerConfig(
        **_SIZES,
        vocab_size=known,
        num_hidden_layers=2,
        hidden_act="relu",
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        max_position_embeddings=64,
        cross_attention_frequency=1,
        use_qformer_text_input=not image_token,
    )
    language = OPTConfig(
        vocab_size=known,
        hidden_size=_WIDTH,
        word_embed_proj_dim=_WIDTH,
        num_hidden_layers=2,
        num_attention_heads=_HEADS,
        ffn_dim=2 * _WIDTH,
        max_position_embeddings=64,
        dropout=0.0,
        attention_dropout=0.0,
        **{f"{name}_token_id": SPECIAL.index(token) for name, token in (("pad", PAD), ("bos", START), ("eos", END))},
    )
    return Blip2Config(
        vision_config=vision,
        qformer_config=queries,
        text_config=language,
        num_query_tokens=QUERIES,
        image_text_hidden_size=64,
        image_token_index=SPECIAL.index(IMAGE) if image_token else None,
    )


def new_models(size: int, patch: int, layers: int) -> tuple[Blip2ForConditionalGeneration, Blip2ForImageTextRetrieval]:
    """A captioner and a matcher with random weights that share one vision tower."""
    captioner = Blip2ForConditionalGeneration(config(size, patch, layers, image_token=True))
    matcher = Blip2ForImageTextRetrieval(config(size, patch, layers, image_token=False))
    matcher.vision_model = captioner.vision_model
    for model in (captioner, matcher):
        model.query_tokens.data.normal_(std=0.5)  # zeros would leave the queries alike for long
    # As small as usual, places would be learned late, if at all; much larger, sizes would.
    captioner.vision_model.embeddings.position_embedding.data.normal_(std=0.5).mul_(0.3)
    return captioner, matcher


def save(folder: Path, model: Blip2ForConditionalGeneration | Blip2ForImageTextRetrieval) -> None:
    """Write a captioner or matcher so that from_pretrained and AutoProcessor load it without a network."""
    matching = isinstance(model, Blip2ForImageTextRetrieval)
    model.save_pretrained(folder)
    size = dict.fromkeys(("height", "width"), model.config.vision_config.image_size)
    # Channels are brought to about unit variance.
    images = BlipImageProcessor(size=size, image_mean=[MEAN] * 3, image_std=[DEVIATION] * 3)
    queries = None if matching else QUERIES
    Blip2Processor(images, tokenizer(end=matching), num_query_tokens=queries).save_pretrained(folder)
