"""The data, captions and pairs of the reporting tests' study."""

import hashlib
from pathlib import Path
from typing import Any

from tests.file_bytes import encoded, parquet
from tests.helpers import make_artifact
from tests.reporting.fake_files import js, picture, png
from tests.reporting.fake_scores import judge_quality, scores
from workflow_scripts.core.artifact import Artifact

Inputs = dict[str, list[Path]]
ATTACK = "<img src=x onerror=alert(1)>"
ARMS = ("original", "generated", "revised", "shuffled")
N = 40


def key(number: int) -> str:
    return f"k{number:05d}"


def originals(replaced: dict[int, str]) -> list[str]:
    stock = ["My new favourite", "a red house by the sea, or so I'm told by u/somebody", "Look at this!", "what is it?"]
    texts = [f"{stock[at % 4]} ({at})" for at in range(N)]
    for at, text in replaced.items():
        texts[at] = text
    return texts


def data_inputs(results: Path, replaced: dict[int, str]) -> Inputs:
    texts = originals(replaced)
    given = {"images": [images(results)], "captions_table": [captions_table(results, texts)]}
    given["common"] = [common_images(results)]
    lost = {"repeated_id": 3, "empty_caption": 1}
    given["annotations"] = [make_artifact(results, "annotations", "rows", {".parquet": b"x"}, rows=rows(54, lost))]
    given["plan"] = [make_artifact(results, "shard_plan", "plan", {".parquet": b"x"}, rows=rows(50, {}))]
    states = {"ok": N, "gone": 7, "placeholder": 2, "timeout": 1, "not_image": 0}
    short = {group: {"value": value, "low": value - 0.1, "high": value + 0.1, "n": 40}
             for group, value in (("difference", 0.11), ("kept", 0.52), ("lost", 0.41))}  # fmt: skip
    content = {"rows": 50, "states": states, "hosts": {"a": 1}, "captions": {"short": short}}
    card = {".json": js(content), ".png": png(900, 360)}
    given["data_card"] = [make_artifact(results, "data_card", "data_card", card)]
    given["arms"], given["caption_quality"], given["pairs"], given["pair_quality"] = [], [], [], []
    for number, arm in enumerate(ARMS):
        given["arms"].append(arm_table(results, arm, texts))
        summary = {"captions": N, "length": {"mean": 5.2 + number, "p95": 11}, "hashtag_share": 0.02 * number}
        files = {".json": js(summary), ".png": png(640, 300)}
        given["caption_quality"].append(make_artifact(results, "caption_quality", arm, files, {"arm": arm}))
    given["caption_comparison"] = [caption_comparison(results)]
    given["judge_quality"] = [judge_quality(results, ARMS)]
    given["scores"] = [
        scores(results, arm, [key(at) for at in range(N) if at % 2 == shard], f"{shard:05d}-{shard:05d}")
        for arm in ARMS
        for shard in (0, 1)
    ]
    share = {"value": 0.31, "low": 0.29, "high": 0.33, "n": 40}
    choices = {"judges": {"clip": {"cosine": {"raw": {"flips_at": {"0.5": share}}, "replaced_by_style": share}}}}
    files, unit = {".json": js(choices)}, {"arm": "revised"}
    given["judge_comparison"] = [make_artifact(results, "judge_comparison", "revised", files, unit)]
    auc = {"value": 0.83, "low": 0.75, "high": 0.9, "n": 160}
    labels = {"agreement": {"faithful": {"alpha": 0.71, "n": 80}}, "scores": {"itm": {"auc": auc}}}
    given["caption_labels"] = [make_artifact(results, "caption_labels", "labels", {".json": js(labels)})]
    for number, name in enumerate(("original", "revised", "shuffled", "visual")):
        given["pairs"].append(pair_table(results, name, number))
        summary = {
            "hubness": {"skew": 1.3 + number, "max": 7},
            "reciprocity": {"value": 0.41, "low": 0.3, "high": 0.5, "n": 40},
            "purity": 0.2 + 0.1 * number,
            "equal_captions": {"value": 0.075, "low": 0.025, "high": 0.125, "n": 40},
            "image_cosine": {"near_duplicates": {"value": 0.175, "low": 0.15, "high": 0.2, "n": 40, "chance": 0.1}},
            "same_label": None if name == "visual" else {"value": 0.95, "low": 0.925, "high": 0.975, "n": 40},
        }
        files = {".json": js(summary), ".png": png(640, 300)}
        given["pair_quality"].append(make_artifact(results, "pair_quality", name, files, {"pairs": name}))
    return given


def caption_comparison(results: Path) -> Path:
    """Two figures of columns, one of vectors, which two arms have."""
    value = {"value": 0.25, "low": 0.2, "high": 0.3, "n": N}
    difference = {"difference": {"value": -0.125, "low": -0.2, "high": -0.05, "n": N}}
    arms = {arm: value | ({} if arm == "original" else difference) for arm in ARMS}
    unknown = {"value": 9.5, "low": None, "high": None, "n": 1}
    figures = {"words": arms, "vague": arms, "itm": {}, "vendi.minilm": {"revised": value, "shuffled": unknown}}
    found = {"arms": ARMS, "reference": "original", "figures": figures}
    return make_artifact(results, "caption_comparison", "arms", {".json": js(found)})


def common_images(results: Path) -> Path:
    files = {".parquet": parquet([{"key": key(at)} for at in range(N - 3)])}
    return make_artifact(results, "common_images", "images", files, rows=rows(N, {"not_common": 3}))


def rows(total: int, dropped: dict[str, int]) -> dict[str, Any]:
    return {"in": total, "out": total - sum(dropped.values()), "dropped": dropped}


def images(results: Path) -> Path:
    shards: list[bytes] = [b"", b""]
    table = []
    for at in range(N):
        data, shard = encoded(picture(at)), at % 2
        entry = {"key": key(at), "shard": shard, "offset": len(shards[shard]), "size": len(data)}
        entry["sha256"] = hashlib.sha256(data).hexdigest()
        table.append({**entry, "subreddit": "houses" if at % 3 else "flowers", "year": 2020})
        shards[shard] += data
    tars = {}
    for shard, data in enumerate(shards):
        name = f"{shard:05d}"
        made = make_artifact(results, "download", name, {".tar": data}, {"shard": name})
        tars[name] = Artifact(made).manifest["files"][".tar"]
    files = {".parquet": parquet(table), ".json": js({"tars": tars})}
    return make_artifact(
        results, "image_index", "images", files, rows=rows(50, {"gone": 7, "placeholder": 2, "timeout": 1})
    )


def captions_table(results: Path, texts: list[str]) -> Path:
    table = [
        {
            "key": key(at),
            "subreddit": "houses" if at % 3 else "flowers",
            "year": 2020,
            "original": texts[at],
            "generated": [f"a small blue house number {at} in snow"],
            "itm_original": -3.0 + 0.05 * at,
            "itm_generated": [4.0 - 0.25 * at],
            "itc_original": 0.1,
            "itc_generated": [0.3],
        }
        for at in range(N)
    ]
    return make_artifact(results, "caption_table", "captions", {".parquet": parquet(table)}, rows=rows(N, {}))


def arm_table(results: Path, arm: str, texts: list[str]) -> Path:
    table = []
    for at in range(N):
        new = arm == "generated" or (arm == "revised" and 4.0 - 0.25 * at > -3.0 + 0.05 * at)
        origin = "generated" if new else "shuffled" if arm == "shuffled" else "original"
        text = f"a small blue house number {at} in snow" if new else texts[(at + (arm == "shuffled")) % N]
        itm = None if arm == "shuffled" else 0.5
        table.append({"key": key(at), "caption": text, "origin": origin, "itm": itm, "itc": 0.1})
    return make_artifact(results, "select_captions", arm, {".parquet": parquet(table)}, {"arm": arm}, rows(N, {}))


def pair_table(results: Path, name: str, number: int) -> Path:
    table = [
        {"source": key(at), "target": key((at * 7 + number + rank) % N), "rank": rank, "cosine": 0.93 - 0.1 * rank}
        for at in range(N - number)
        for rank in (1, 2)
    ]
    lost = {"below_threshold": number} if number else {}
    return make_artifact(results, "pair_table", name, {".parquet": parquet(table)}, {"pairs": name}, rows(N, lost))
