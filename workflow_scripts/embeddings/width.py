"""The width of embeddings that estimates of disk and cost assume."""

WIDTH = 768  # the widest of the encoders named in the project's configs
