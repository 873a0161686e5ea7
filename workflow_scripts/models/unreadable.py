"""What loading a broken or foreign checkpoint raises, in transformers and beneath it."""

from safetensors import SafetensorError

UNREADABLE = (OSError, ValueError, RuntimeError, KeyError, SafetensorError)
