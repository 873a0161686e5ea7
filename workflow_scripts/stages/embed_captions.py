"""Unit vectors of an arm's captions."""

from workflow_scripts.core.settings.embed_captions import EmbedCaptions
from workflow_scripts.core.stage import Job, run_stage


def embed_captions(job: Job[EmbedCaptions]) -> None:
    """Encode the captions in index order, keys beside them."""
    import pyarrow.parquet as pq

    from workflow_scripts.captions.sentence_vectors import embed, load_encoder
    from workflow_scripts.core.errors import PipelineError
    from workflow_scripts.core.tables import write_table

    options, arm_path = job.settings, job.input("captions").path(".parquet")
    arm = pq.read_table(arm_path, columns=["key", "caption"])
    index = pq.read_table(job.input("images").path(".parquet"), columns=["key", "subreddit", "year"])
    if arm["key"] != index["key"]:
        value = f"{len(arm)} captions, {len(index)} images"
        raise PipelineError("captions not in index order", arm_path, value, "run the workflow again from this arm on")
    encoder = load_encoder(job.source("encoder"), job.device)
    out = job.file(".npy")
    empty = embed(arm["caption"], encoder, options.batch_size, options.chunk_batches, job.work, out)
    write_table(job.file(".keys.parquet"), index)
    job.rows(len(arm), len(arm))
    job.note(empty_captions=empty)


def main(argv: list[str] | None = None) -> None:
    """Run the stage from the command line."""
    run_stage(embed_captions, EmbedCaptions, argv, packages=("torch", "transformers", "sentence-transformers"))


if __name__ == "__main__":
    main()
