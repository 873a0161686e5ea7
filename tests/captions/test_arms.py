"""The arms against rules written out row by row."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from workflow_scripts.captions.arm_kind import ArmInputs
from workflow_scripts.captions.arm_rows import SCHEMA, UNUSED, arm_table, counts, exchange
from workflow_scripts.captions.arms.external import External, chosen
from workflow_scripts.captions.cuts import first_words, sentences
from workflow_scripts.core.declaration.kind_settings import settings_of
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.stages.select_captions import ARM_KINDS, SelectCaptions

SCORE = st.integers(-8, 8).map(lambda x: x / 4)
CANDIDATE = st.tuples(st.sampled_from(["", "a cat", "a dog", "grass"]), SCORE)
ROW = st.tuples(st.sampled_from(["", "my cat", "wow"]), SCORE, st.lists(CANDIDATE, min_size=1, max_size=3))


def caption_table(rows: list) -> pa.Table:  # type: ignore[type-arg]
    scores = pa.list_(pa.float32())
    return pa.table(
        {
            "key": [f"k{i}" for i in range(len(rows))],
            "subreddit": ["pics"] * len(rows),
            "year": pa.array([2020] * len(rows), pa.int16()),
            "original": pa.array([row[0] for row in rows], pa.string()),
            "generated": pa.array([[c[0] for c in row[2]] for row in rows], pa.list_(pa.string())),
            "itm_generated": pa.array([[c[1] for c in row[2]] for row in rows], scores),
            "itc_generated": pa.array([[c[1] / 2 for c in row[2]] for row in rows], scores),
            "itm_original": pa.array([row[1] for row in rows], pa.float32()),
            "itc_original": pa.array([row[1] / 2 for row in rows], pa.float32()),
        }
    )


def arm_of(kind: str, table: pa.Table, base: pa.Table | None = None, **settings: object) -> pa.Table:
    """Rows of an arm; ``base``: those of the arm "original", which it starts from."""
    entry, arms = ARM_KINDS[kind], {} if base is None else {"original": base}
    return entry.select(ArmInputs(table, arms), entry.settings.model_validate(settings))


def best_of(candidates: list[tuple[str, float]], sign: int = 1) -> tuple[str, float]:
    """Best ITM times ``sign``, the first at a tie, empty ones last."""
    return max(candidates, key=lambda c: (c[0] != "", sign * c[1]))


@given(st.lists(ROW, min_size=1, max_size=12), SCORE, st.one_of(st.none(), SCORE))
def test_revised_captions_follow_their_rule_row_by_row(rows: list, margin: float, threshold: float | None) -> None:  # type: ignore[type-arg]
    arm = arm_of("revised", caption_table(rows), margin=margin, threshold=threshold).to_pylist()
    for got, (text, itm, candidates) in zip(arm, rows, strict=True):
        new, new_itm = best_of(candidates)
        wanted = new_itm > itm + margin or (threshold is not None and itm < threshold) or text == ""
        if wanted and new not in ("", text):
            assert (got["caption"], got["origin"], got["itm"], got["itc"]) == (new, "generated", new_itm, new_itm / 2)
        else:
            assert (got["caption"], got["origin"], got["itm"], got["itc"]) == (text, "original", itm, itm / 2)


@given(st.lists(ROW, min_size=1, max_size=12))
def test_original_and_generated_captions_row_by_row(rows: list) -> None:  # type: ignore[type-arg]
    table = caption_table(rows)
    assert arm_of("original", table)["caption"].to_pylist() == [row[0] for row in rows]
    arm = arm_of("generated", table)
    assert list(zip(arm["caption"].to_pylist(), arm["itm"].to_pylist(), strict=True)) == [best_of(r[2]) for r in rows]


def test_shuffled_uses_each_caption_once_and_knows_no_score() -> None:
    base = arm_of("original", caption_table([(f"caption {i}", 0.0, [("x", 1.0)]) for i in range(50)]))
    arm = arm_of("shuffled", base, base, seed=3)
    assert sorted(arm["caption"].to_pylist()) == sorted(base["caption"].to_pylist())
    assert not any(a == b for a, b in zip(arm["caption"].to_pylist(), base["caption"].to_pylist(), strict=True))
    assert arm["key"].equals(base["key"])
    assert set(arm["origin"].to_pylist()) == {"shuffled"}
    assert arm["itm"].null_count == arm["itc"].null_count == 50


def test_mixed_is_nested_and_exact() -> None:
    base = arm_of("original", caption_table([(f"caption {i}", float(i), [("x", 1.0)]) for i in range(41)]))
    kept_before: set[str] = set()
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        arm = arm_of("mixed", base, base, share=share, seed=7)
        kept = set(arm.filter(pa.array(np.array(arm["origin"].to_pylist()) == "original"))["key"].to_pylist())
        assert len(kept) == int(share * 41 + 0.5)
        assert kept_before <= kept
        kept_before = kept
        for row, own in zip(arm.to_pylist(), base.to_pylist(), strict=True):
            assert (row == own) == (row["key"] in kept)
            assert row["key"] in kept or (row["caption"] != own["caption"] and row["itm"] is None)


def test_exchange_does_not_depend_on_how_the_rows_are_divided() -> None:
    """More rows than a row group, in chunks of other sizes; some captions are equal, some are kept and some lost."""
    count, rng = 70_000, np.random.default_rng(0)
    captions = [f"caption {number}" for number in rng.integers(0, 50_000, count)]
    given = rng.permutation(count)
    given[::3], given[::7] = np.arange(0, count, 3), -1
    images = pa.table({"key": [str(row) for row in range(count)], "subreddit": ["a"] * count, "year": [2020] * count})
    scores = pa.array(rng.random(count), pa.float32())
    base = arm_table(images, captions, ["original"] * count, scores, scores)
    base = pa.concat_tables([base.slice(0, 66_000), base.slice(66_000, 1), base.slice(66_001)])
    arm = exchange(base, "all", lambda texts, groups: given)
    arm.validate(full=True)
    assert arm["caption"].to_pylist() == [captions[row] if row >= 0 else "" for row in given.tolist()]
    kept = given == np.arange(count)
    assert arm["origin"].to_pylist() == np.where(kept, "original", np.where(given < 0, "none", "shuffled")).tolist()
    assert arm["itm"].equals(pc.if_else(kept, base["itm"], pa.scalar(None, pa.float32())))
    assert arm.select(["key", "subreddit", "year"]).equals(base.select(["key", "subreddit", "year"]))


def in_subreddits(captions: dict[str, list[str]]) -> pa.Table:
    """Rows of an arm whose images are of these subreddits."""
    rows = [(text, 0.5, [("x", 1.0)]) for texts in captions.values() for text in texts]
    names = [name for name, texts in captions.items() for _ in texts]
    arm = arm_of("original", caption_table(rows))
    return arm.set_column(1, "subreddit", pa.array(names))


def test_captions_are_shuffled_within_their_subreddit() -> None:
    wanted = {
        "cats": [f"cat {i}" for i in range(20)],
        "alone": ["only"],
        "same": ["hi", "hi"],
        "dogs": ["wow", "wow", "wow", "dog", "puppy", "bark"],
    }
    base = in_subreddits(wanted)
    arm = arm_of("shuffled", base, base, within="subreddit", seed=2)
    for own, row in zip(base.to_pylist(), arm.to_pylist(), strict=True):
        if own["subreddit"] in ("alone", "same"):
            assert (row["caption"], row["origin"], row["itm"]) == ("", "none", None)
        else:
            assert row["caption"] in wanted[own["subreddit"]] and row["caption"] != own["caption"]
            assert (row["origin"], row["itm"]) == ("shuffled", None)
    for name in ("cats", "dogs"):
        got = arm.filter(pc.equal(arm["subreddit"], name))["caption"].to_pylist()
        assert sorted(got) == sorted(wanted[name])
    assert counts(arm, base.append_column("original", base["caption"]))["origin"] == {"none": 3, "shuffled": 26}


@pytest.mark.parametrize(
    ("captions", "within", "message"),
    [
        ({"a": ["x"]}, "all", r"1 images, of which none can get .*; use more images$"),
        ({"a": ["x"], "b": ["x", "x"]}, "all", r"3 images, of which none"),
        ({"a": ["x"], "b": ["y", "y"]}, "subreddit", r"3 images.* their subreddit .*; use more images or within: all$"),
    ],
)
def test_captions_without_a_possible_exchange_are_an_error(
    captions: dict[str, list[str]], within: str, message: str
) -> None:
    base = in_subreddits(captions)
    for kind, share in (("shuffled", {}), ("mixed", {"share": 0.0})):
        with pytest.raises(PipelineError, match=r"no captions to exchange in the base arm: " + message):
            arm_of(kind, base, base, within=within, **share)
    assert arm_of("mixed", base, base, within=within, share=1.0).equals(base)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", []),
        (" \n", []),
        ("a dog", ["a dog"]),
        ("A dog runs.  It is brown!", ["A dog runs.", "It is brown!"]),
        ('He said "stop." Then... (he left.) wow', ['He said "stop."', "Then...", "(he left.)", "wow"]),
        ("a st. bernard of mr. j. smith, 3.5 years old. ok?", ["a st. bernard of mr. j. smith, 3.5 years old.", "ok?"]),
        ("1. A dog runs. 2. A cat sleeps.", ["1. A dog runs.", "2. A cat sleeps."]),
        ("Mt. Fuji (e.g. at dawn). The U.S. flag!", ["Mt. Fuji (e.g. at dawn).", "The U.S. flag!"]),
        ("... ! ?", ["... ! ?"]),
        ("A dog! :) ...", ["A dog! :) ..."]),
        ("这是一只猫。它在睡觉。", ["这是一只猫。", "它在睡觉。"]),
        ("a man riding a horse . two dogs .", ["a man riding a horse .", "two dogs ."]),
    ],
)
def test_sentences_of_a_caption(text: str, parts: list[str]) -> None:
    assert sentences(text) == parts


@pytest.mark.parametrize(
    ("count", "part"), [(0, ""), (1, "one"), (2, "one  two,"), (3, " one  two, three "), (9, " one  two, three ")]
)
def test_first_words_of_a_caption(count: int, part: str) -> None:
    assert first_words(" one  two, three ", count) == part


def test_captions_are_cut_to_a_sentence_or_to_the_length_of_the_original() -> None:
    long = ["A dog. It runs. It barks.", "A cat ", "Two birds. On a wire.", ""]
    table = caption_table([(f"{'word ' * n}"[:-1], 0.0, [("x", 1.0)]) for n in (2, 5, 0, 1)])
    base = arm_of("original", caption_table([(text, float(n), [("x", 1.0)]) for n, text in enumerate(long)]))
    first = arm_of("first_sentence", table, base)
    assert first["caption"].to_pylist() == ["A dog.", "A cat ", "Two birds.", ""]
    assert first["origin"].to_pylist() == ["cut", "original", "cut", "original"]
    assert first["itm"].to_pylist() == [None, 1.0, None, 3.0]
    matched = arm_of("length_matched", table, base)
    assert matched["caption"].to_pylist() == ["A dog.", "A cat ", "", ""]
    assert matched["origin"].to_pylist() == ["cut", "original", "none", "original"]
    assert matched["itc"].to_pylist() == [None, 0.5, None, 1.5]


def test_a_random_sentence_is_drawn_by_seed_and_key() -> None:
    rows = [("One here. Two here. Three here.", 0.0, [("x", 1.0)])] * 300
    table = caption_table(rows)
    base = arm_of("original", table)
    drawn = arm_of("random_sentence", table, base, seed=1)["caption"].to_pylist()
    counts = {text: drawn.count(text) for text in ("One here.", "Two here.", "Three here.")}
    assert sum(counts.values()) == 300 and min(counts.values()) > 70
    later = arm_of("random_sentence", table.slice(200), base.slice(200), seed=1)["caption"].to_pylist()
    assert later == drawn[200:], "whatever the other rows are"
    assert arm_of("random_sentence", table, base, seed=2)["caption"].to_pylist() != drawn


def external(table: pa.Table, rows: list, **settings: object) -> tuple[list[str], dict[str, int]]:  # type: ignore[type-arg]
    """Captions of an external arm from the rows of a file, and what was counted."""
    inputs = ArmInputs(table)
    arm = chosen(inputs, rows, External.model_validate(settings), Path("mine.csv"))
    captions = arm["caption"].to_pylist()
    assert [(row["origin"], row["itm"]) for row in arm.to_pylist()] == [
        ("external" if text else "none", None) for text in captions
    ]
    return captions, dict(inputs.counts)


def test_external_captions_are_matched_and_missing_ones_counted() -> None:
    table = caption_table([("a", 0.0, [("x", 1.0)])] * 4)
    rows = [("k3", ["third"]), ("k0", ["zeroth"]), ("other", ["unused", "too"]), ("k1", [None, " "]), (None, ["x"])]
    captions, found = external(table, [*rows, ("", ["y"])], max_missing_share=0.5)
    assert captions == ["zeroth", "", "", "third"]
    assert found == {
        "captions": 8,
        "no_key": 2,
        "not_in_study": 2,
        "no_caption": 2,
        "duplicate": 0,
        "not_chosen": 0,
        "images_not_in_file": 1,
    }
    with pytest.raises(
        PipelineError, match=r"missing captions in mine.csv: 2 of 4 images have none, such as k1; 40.00% are allowed"
    ):
        external(table, rows, max_missing_share=0.4)


def test_external_captions_of_other_images_are_an_error_that_shows_both_keys() -> None:
    table = caption_table([("a", 0.0, [("x", 1.0)])] * 4)
    with pytest.raises(
        PipelineError, match=r"no key is the id of an image: the file has a\.jpg, those of the source are like k0; "
    ):
        external(table, [(None, ["x"]), ("a.jpg", ["y"])], max_missing_share=0.5)
    assert external(table, [("a.jpg", ["y"])], max_missing_share=1.0)[0] == [""] * 4


FILE_ROW = st.tuples(
    st.sampled_from([None, "", "k0", "k1", "k2", "other"]),
    st.lists(st.sampled_from([None, "", " ", "a", "b", "long"]), min_size=1, max_size=3),
)


@given(st.lists(FILE_ROW, max_size=12))
def test_every_caption_of_a_file_is_counted_once(rows: list) -> None:  # type: ignore[type-arg]
    table = caption_table([("a", 0.0, [("x", 1.0)])] * 3)
    captions, found = external(table, rows, max_missing_share=1.0)
    flat = [(key, text) for key, texts in rows for text in texts]
    usable = [(key, text) for key, text in flat if key in ("k0", "k1", "k2") and text and text.strip()]
    assert sum(found.get(reason, 0) for reason in UNUSED) + len({key for key, _ in usable}) == len(flat)
    assert found["duplicate"] == len(usable) - len(set(usable))
    for key, caption in zip(("k0", "k1", "k2"), captions, strict=True):
        own = [text for other, text in usable if other == key]
        assert caption == (own or [""])[0]


@pytest.mark.parametrize("name", ARM_KINDS)
def test_an_entry_is_complete_and_works(name: str, tmp_path: Path) -> None:
    kind = ARM_KINDS[name]
    assert kind.summary and set(kind.arms) <= set(kind.settings.model_fields)
    table = caption_table([(f"caption {i}", float(i % 3), [(f"made {i}", 1.0)]) for i in range(9)])
    (tmp_path / "mine.csv").write_text("key,caption\n" + "".join(f"k{i},mine {i}\n" for i in range(9)))
    file = tmp_path / "mine.csv" if kind.from_file else None
    arm = SelectCaptions.model_validate({"kind": name})
    others = {getattr(arm, setting): arm_of("original", table) for setting in kind.arms}
    inputs = ArmInputs(table, others, file, describe=lambda key, *of_arm: f"{key} shows {of_arm}")
    rows = kind.select(inputs, settings_of(arm, ARM_KINDS[name]))
    assert rows.schema == SCHEMA
    assert rows["key"] == table["key"] and rows["caption"].null_count == 0
    assert counts(rows, table)["rows"] == 9


def test_settings_of_all_kinds_are_keys_of_an_arm() -> None:
    fields, shown = SelectCaptions.model_fields, SelectCaptions.model_json_schema()["properties"]
    for name, kind in ARM_KINDS.items():
        for key, field in kind.settings.model_fields.items():
            # Kinds that share a setting define it alike.
            assert (fields[key].default, fields[key].annotation) == (field.default, field.annotation), (name, key)
            assert name in shown[key]["description"].split(":")[0]
    assert shown["seed"]["description"] == "mixed, random_sentence, shuffled and world: Seed of random choices."
    arm = SelectCaptions.model_validate({"kind": "mixed", "share": 0.25, "seed": 3, "margin": 2.0})
    assert settings_of(arm, ARM_KINDS["mixed"]).model_dump() == {
        "base": "original",
        "within": "all",
        "share": 0.25,
        "seed": 3,
    }
    revised = settings_of(arm, ARM_KINDS["revised"]).model_dump(exclude_defaults=True)
    assert revised == {"margin": 2.0}
    for wrong in ({"kind": "mixd"}, {"kind": "mixed", "share": 1.5}):
        with pytest.raises(ValidationError):
            SelectCaptions.model_validate(wrong)
