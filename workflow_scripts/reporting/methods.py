"""How results were computed, as prose with citations and as a table: what a paper's section on methods needs.

Texts hold citations between two marks (:func:`cite`); :func:`as_text` and :func:`as_latex` write them out.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from workflow_scripts.core.artifact import Artifact
from workflow_scripts.core.declaration.result_names import SUPERVISED
from workflow_scripts.core.files.jsonio import read_json
from workflow_scripts.reporting.references import cited_for, references
from workflow_scripts.reporting.settings import Methods, Report, TrainedRuns
from workflow_scripts.reporting.study import labelled_sets, leaked_images, paired_images, unit_of
from workflow_scripts.reporting.terms import ACCURACIES, NETWORKS, SYNTHETIC, Words
from workflow_scripts.reporting.text import cut, lost_for, minus, visible, words

_OPEN, _CLOSE = "\ue000", "\ue001"  # for private use: `visible` removes them from names
_CITATION = re.compile(f" ?{_OPEN}([^{_CLOSE}]*){_CLOSE}")
ELSEWHERE = "partners_elsewhere"  # in a run's run.json
LONGEST = 120  # characters of a name
ENCODER = "encoder-"
TITLES = {"supervised": "supervised training", "simclr": "SimCLR", "simsiam": "SimSiam", "clip": "CLIP", "slip": "SLIP"}
TITLES |= {
    "nnclr": "NNCLR",
    "swav": "SwAV",
    "xclr": "X-CLR",
    "declip_nn": "DeCLIP's nearest neighbours",
    "lgslip": "LGSLIP",
}
"""Names of methods in prose, where they are others than in a config."""
HUB, OURS = "hub:", "workflow_scripts/"
"""With what locations begin: of public models, and of those that ship with the workflow."""
_BETWEEN_WORDS = re.compile("[ “”]")
_PARTNERS = re.compile(r" \(k (\d+), scope (\w+)(?:, (.*))?\)$")


@dataclass(frozen=True)
class Counts:
    """Rows of a study's data; None where it has none.

    Attributes:
        annotations, images: in, out and dropped by reason, as manifests have them.
        years: of the usable rows.
        contrasts: rows of the summary's contrasts.
        sets: labelled set -> numbers of its images for training, validation and tests, and of its classes.
        paired: pair table -> number of its images that have a partner, and of all.
        captioned: arm -> number of its images that have a caption.
        leaked: test set -> number of its test images that equal a stored image, or nearly so, and of all.
        alike: evaluated sets that have the same images for training and validation.
        common: images that all runs have, in, out and dropped, with ``common_images``.
        elsewhere: for each run, the number of its pairs whose partner is not one of these.
    """

    annotations: Mapping[str, Any] | None = None
    images: Mapping[str, Any] | None = None
    years: Sequence[str] = ()
    contrasts: Sequence[Mapping[str, Any]] = ()
    sets: Mapping[str, tuple[int, int, int, int]] = field(default_factory=dict)
    paired: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    captioned: Mapping[str, int] = field(default_factory=dict)
    leaked: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    alike: Sequence[Sequence[str]] = ()
    common: Mapping[str, Any] | None = None
    elsewhere: Sequence[int] = ()


def counts_of(
    artifacts: Callable[[str], Sequence[Artifact]],
    contrasts: Sequence[Mapping[str, Any]],
    alike: Sequence[Sequence[str]],
) -> Counts:
    """The counts of a study.

    Args:
        artifacts: of a stage, by its name.
        contrasts: rows of the summary's contrasts.
        alike: evaluated sets that have the same images for training and validation.
    """
    stages = ("annotations", "image_index", "common_images")
    rows, images, common = (next((made.rows or None for made in artifacts(stage)), None) for stage in stages)
    files = [made.path(".json") for made in artifacts("annotations") if made.has(".json")]
    counted = [read_json(file, "run snakemake again") for file in files]
    runs = [read_json(made.path("/run.json"), "run snakemake again") for made in artifacts("pretrain")]
    return Counts(
        annotations=rows,
        images=images,
        years=sorted({year for counts in counted for year in counts.get("years", {})}),
        contrasts=contrasts,
        sets=labelled_sets(artifacts("eval_dataset")),
        paired=paired_images(artifacts("pair_table")),
        captioned={unit_of(made, "arm"): int(made.rows["out"]) for made in artifacts("select_captions") if made.rows},
        leaked=leaked_images(artifacts("leakage")),
        alike=alike,
        common=common,
        elsewhere=[run[ELSEWHERE] for run in runs if ELSEWHERE in run],
    )


@dataclass(frozen=True)
class Paragraph:
    """A paragraph with its heading; the text has marks of citations."""

    title: str
    text: str


def cite(*uses: str) -> str:
    """The mark of the works that are cited for ``uses``; empty if there are none."""
    keys = cited_for(*uses)
    return f" {_OPEN}{','.join(keys)}{_CLOSE}" if keys else ""


def cited(paragraphs: Iterable[Paragraph]) -> list[str]:
    """Keys of all cited works, each once, in the order of the text."""
    groups = (found for paragraph in paragraphs for found in _CITATION.findall(paragraph.text))
    return list(dict.fromkeys(key for group in groups for key in group.split(",")))


def as_text(text: str) -> str:
    """The text with ``(Chen et al. 2020)`` for citations."""
    known = references()
    return _CITATION.sub(lambda found: f" ({'; '.join(known[key].label for key in found[1].split(','))})", text)


def as_latex(text: str, escape: Callable[[str], str]) -> str:
    r"""The text as LaTeX, with ``~\citep{chen2020simclr}`` for citations."""
    parts = _CITATION.split(text)
    spaced = [f"{' ' * (part[:1] == ' ')}{escape(part)}{' ' * (part[-1:] == ' ')}" for part in parts[::2]]
    commands = [f"~\\citep{{{keys}}}" for keys in parts[1::2]]
    return "".join(map("".join, zip_longest(spaced, commands, fillvalue="")))


def shown(value: Any) -> str:
    """A setting's value as in a table: ``0.001``, ``2048, 2048, 128``, ``none``, ``yes``."""
    if isinstance(value, list | tuple):
        return ", ".join(map(shown, value)) or "none"
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    return f"{value:g}" if isinstance(value, float) else name(str(value)) or "empty"


def name(text: str) -> str:
    """A name of the config, as text without marks."""
    return cut(visible(text), LONGEST)


def listing(items: Iterable[str]) -> str:
    """``a, b and c``."""
    *first, last = list(items) or [""]
    return f"{', '.join(first)} and {last}" if first else last


def model(at: str) -> str:
    """A model's location with its citation: ``Salesforce/blip2-opt-2.7b at revision 51572668``."""
    place, _, revision = at.partition(":")[2].partition("@")
    if place.startswith(OURS):
        return "one that ships with the workflow"
    known = f" at revision {name(revision)}" if revision else ""
    return f"{name(place)}{known}{cite(f'model:{place}')}"


def paragraphs(settings: Report, counts: Counts) -> list[Paragraph]:
    """The section on methods; paragraphs without content are left out."""
    methods, words_of = settings.methods, Words(settings)
    found = {
        "Data": _data(methods, counts),
        "Captions": _captions(methods, counts),
        "Pairs": _pairs(methods, counts, words_of),
        "Pretraining": _pretraining(methods, words_of),
        "Evaluation": _evaluation(methods, counts),
    }
    return [Paragraph(title, " ".join(sentences)) for title, sentences in found.items() if sentences]


def _rows(counts: Mapping[str, Any]) -> str:
    """``40 of 50 (gone 7, placeholder 3)``."""
    dropped = sorted(counts.get("dropped", {}).items(), key=lambda reason: (-reason[1], reason[0]))
    lost = ", ".join(f"{lost_for(name(reason))} {number:,}" for reason, number in dropped if number)
    return f"{counts['out']:,} of {counts['in']:,}" + (f" ({lost})" if lost else "")


def _data(methods: Methods, counts: Counts) -> list[str]:
    found = []
    if methods.synthetic:
        found.append(f"{SYNTHETIC}. Images and titles come from one generator, the workflow's demo.")
    if counts.annotations:
        of = f" of RedCaps{cite('redcaps')}" if methods.redcaps else ""
        years = sorted({name(year) for year in counts.years if year != "0"})
        span = f", from {' to '.join(dict.fromkeys((years[0], years[-1])))}" if years else ""
        found.append(f"Usable annotation rows{of}{span}: {_rows(counts.annotations)}.")
    if counts.images:
        side = f", stored with at most {methods.image_side:,} pixels on the longer side" if methods.image_side else ""
        found.append(f"Rows with an image: {_rows(counts.images)}{side}.")
    return found


def _captions(methods: Methods, counts: Counts) -> list[str]:
    found, how = [], methods.captions
    if how:
        places = {role: methods.models.get(role, "") for role in ("captioner", "matcher")}
        known = {role: f" ({model(at)})" if at else cite("recaption") for role, at in places.items()}
        search = f"{how['beams']} beams" if how["beams"] > 1 else "nucleus sampling"
        if how["beams"] == 1 and how["num_captions"] == 1:
            search = "greedy decoding"
        found.append(
            f"A captioning model{known['captioner']} wrote {how['num_captions']:,} "
            f"caption{'s' if how['num_captions'] > 1 else ''} per image ({search}, at most "
            f"{how['max_new_tokens']:,} tokens), and an image-text matching (ITM) model{known['matcher']} scored "
            "original and generated captions."
        )
    if methods.arms:
        arms = "; ".join(f"{name(arm)}, {summary}" for arm, summary in methods.arms.items())
        found.append(f"Sets of captions (arms): {arms}.")
    every = counts.images["out"] if counts.images else 0
    if any(some < every for some in counts.captioned.values()):
        shares = listing(f"{some:,} of {every:,} in {name(arm)}" for arm, some in counts.captioned.items())
        found.append(f"Images with a caption: {shares}. Pairs by captions use only these images.")
    return found


def _pairs(methods: Methods, counts: Counts, words_of: Words) -> list[str]:
    found = []
    if methods.pairs:
        searched = any("nearest" in how for how in methods.pairs.values())
        nearest = f", nearest neighbours being searched with FAISS{cite('nearest')}" if searched else ""
        tables = "; ".join(f"{_called(table, words_of)}, {_partners(how)}" for table, how in methods.pairs.items())
        found.append(f"Images are paired as follows{nearest}: {tables}.")
        paired = {_called(table, words_of): counts.paired[table] for table in methods.pairs if table in counts.paired}
        if any(some < every for some, every in paired.values()):
            shares = listing(f"{some:,} of {every:,} for {called}" for called, (some, every) in paired.items())
            left = " Runs on these pairs leave the others out." if methods.training.get("unpaired") == "drop" else ""
            found.append(f"Images with a partner: {shares}.{left}")
        if counts.common:
            shown = f"{counts.common['out']:,} of {counts.common['in']:,}"
            found.append(f"Sources of pairs are the {shown} images that have a partner or a caption in all runs.")
            if any(counts.elsewhere):
                numbers = " to ".join(f"{n:,}" for n in dict.fromkeys((min(counts.elsewhere), max(counts.elsewhere))))
                found.append(f"Pairs whose partner is not one of these, by run: {numbers}.")
        if any("among captions" in how for how in methods.pairs.values()):
            found.append(f"Pairing images by their captions is language-guided sampling{cite('study')}.")
    encoders = {key.removeprefix(ENCODER): at for key, at in methods.models.items() if key.startswith(ENCODER)}
    if public := [f"{name(key)} is {model(at)}" for key, at in encoders.items() if at]:
        found.append(f"Of the encoders, {listing(public)}.")
    return found


def _called(pairs: str, words_of: Words) -> str:
    """Pairs as tables call them, with their name in the config where that is another: ``pairs by label (oracle)``."""
    called, own = name(words_of.pairs(pairs)), name(pairs)
    return called if own in _BETWEEN_WORDS.split(called) else f"{called} ({own})"


def _partners(how: str) -> str:
    """What a pair table is, in prose: ``the nearest neighbours by minilm, one partner per image from all images``."""
    known = _PARTNERS.search(how)
    if known is None:
        return name(how)
    images = "all images" if known[2] == "global" else f"images of the same {known[2].replace('_', ' and ')}"
    partners = "one partner" if known[1] == "1" else f"{int(known[1]):,} partners"
    more = f" ({words(name(known[3]))})" if known[3] else ""
    return f"{name(how[: known.start()])}, {partners} per image from {images}{more}"


def _pretraining(methods: Methods, words_of: Words) -> list[str]:
    if not methods.runs:
        return []
    common = methods.training
    backbone = common.get("backbone")
    networks = f"{name(backbone)} networks" if backbone else "networks of several architectures"
    residual = f", residual networks{cite('backbone:resnet')}," if backbone and "resnet" in backbone else ""
    kinds = dict.fromkeys(run.method for run in methods.runs)
    trained = listing(f"{_title(kind)}{cite(f'method:{kind}')}" for kind in kinds)
    found = [f"We train {networks}{residual} with {trained}."]
    told = (
        ("images of {} pixels a side", "image_size"),
        ("{} steps", "steps"),
        ("{} epochs", "epochs"),
        ("batches of {} pairs", "batch_size"),
        ("weight decay {}", "weight_decay"),
        ("a linear warm-up of {} steps", "warmup_steps"),
        ("a linear warm-up of {} epochs", "warmup_epochs"),
        ("half a cosine down to {}", "final_lr"),
    )
    known = {key: f"{value:,}" if isinstance(value, int) else shown(value) for key, value in common.items()}
    if "weight_decay" in known and "norm_weight_decay" in known:
        known["weight_decay"] += f" ({known['norm_weight_decay']} for gains and biases)"
    parts = [text.format(known[key]) for text, key in told if common.get(key) is not None]
    if "lr" in common and "batch_size" in common:
        peak = common["lr"] * common["batch_size"] / 512
        parts.append(f"a peak learning rate of {peak:g} ({common['lr']:g} per 512 pairs)")
    if "precision" in common:
        parts.append("float32" if common["precision"] == "no" else f"mixed precision ({name(common['precision'])})")
    found.append(f"All runs use AdamW{cite('optimizer')}{' with ' if parts else ''}{listing(parts)}.")
    if SUPERVISED in kinds:
        found.append("Supervised runs take as many labelled images in place of pairs, each in two views.")
    found.append(f"Runs: {'; '.join(_trained(run, words_of) for run in methods.runs)}.")
    if methods.augmentations:
        described = "; ".join(f"{name(kind)}, {summary}" for kind, summary in methods.augmentations.items())
        found.append(f"Augmentations: {described}.")
    if methods.references:
        others = listing(
            f"{NETWORKS[kind]} {_seeds(seeds)}" if kind in NETWORKS else "networks from elsewhere"
            for kind, seeds in methods.references.items()
        )
        found.append(f"For comparison, we also evaluate {others}.")
    return found


def _trained(run: TrainedRuns, words_of: Words) -> str:
    """``SimCLR on revised captions with augmentation crop (seeds 0, 1, 2)``."""
    more = f", tag {name(run.tag)}" if run.tag else ""
    trained = NETWORKS.get(run.method, f"{_title(run.method)} on {_called(run.pairs, words_of)}")
    return f"{trained} with augmentation {name(run.augmentation)}{more} {_seeds(run.seeds)}"


def _seeds(seeds: Sequence[int]) -> str:
    return f"(seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))})"


def _title(method: str) -> str:
    return TITLES.get(method, name(method))


def _evaluation(methods: Methods, counts: Counts) -> list[str]:
    how = methods.evaluation
    if not how or not methods.datasets:
        return []
    sets = listing(f"{name(key)}{cite(f'set:{known}')}" for key, known in methods.datasets.items())
    steps = f"checkpoint{'s' if len(how['steps']) > 1 else ''} {listing(map(shown, how['steps']))}"
    if list(how["steps"]) == ["last"]:
        steps = "the last checkpoint"
    few = {name: how[f"few_shot.{name}"] for name in ("ways", "shots", "episodes")}
    least, folds = how["linear_probe.least_validation"], how["linear_probe.folds"]
    by_folds = f" or, where there are fewer than {least:,}, by {folds}-fold cross-validation over all but test images"
    measures = [
        f"a linear probe{cite('linear_probe')}",
        f"{few['ways']}-way, {few['shots']}-shot classification ({few['episodes']:,} episodes)",
        f"{how['knn.neighbours']} weighted nearest neighbours{cite('knn')}",
    ]
    if layers := how.get("saliency.layers"):
        maps = f"Grad-CAM maps{cite('saliency')} of {listing(layers)}"
        measures.append(f"{maps} against object masks, where a test set has them")
    known = {name(key): counts.sets[key] for key in methods.datasets if key in counts.sets}
    sizes = listing(
        f"{key} {train:,}, {choice:,} and {test:,} ({classes:,})"
        for key, (train, choice, test, classes) in known.items()
    )
    found = [
        f"Frozen features of {steps} are evaluated on the test set{'s' if len(methods.datasets) > 1 else ''} {sets}"
        f"{sizes and f'. Images for training, validation and tests (classes): {sizes}'}.",
        f"Measures are {listing(measures)}.",
        f"The cost of the probe is chosen on validation images{by_folds if least else ''}.",
        "The probe is then fitted on training and validation images; neighbours are searched for among the same.",
    ]
    for keys in counts.alike:
        found.append(f"The sets {listing(map(name, keys))} have the same images for training and validation.")
    leaked = {name(key): counts.leaked[key] for key in methods.datasets if key in counts.leaked}
    if alike := [f"{near:,} of {tested:,} in {key}" for key, (near, tested) in leaked.items() if near]:
        found.append(f"Test images that the search for near copies finds among the study's images: {listing(alike)}.")
        found.append("Near matches can be wrong. Accuracies include these images; those without are reported apart.")
    if small := [f"{classes} of {key}" for key, (*_, classes) in known.items() if 0 < classes < few["ways"]]:
        found.append(f"Episodes have fewer ways where a set has fewer classes, at most {listing(small)}.")
    if (few["ways"], few["shots"]) == (5, 5):
        found.append(f"Few-shot episodes have as many ways and shots as in language-guided sampling{cite('few_shot')}.")
    return [*found, *_tested(counts.contrasts)]


def _tested(contrasts: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """How contrasts were tested, and which are primary."""
    tested = [row for row in contrasts if row["verdict"]]
    if not tested:
        return
    yield "Intervals of contrasts are over seeds, test items and classes."
    if any(row["level"] == "joint" and row["metric"].split(".")[0] in ACCURACIES for row in tested):
        moderated = f", the variance of seeds being moderated across arms{cite('moderation')}"
        yield (
            "Contrasts of accuracies have Student's t intervals, from random effects of seeds and classes"
            f"{moderated if any(row['arms'] for row in tested) else ''}, with Satterthwaite's degrees of freedom"
            f"{cite('freedom')} or, where one part alone is the variance, that part's; a p-value is never below "
            "that of a t-test over seeds alone."
        )
    primary: dict[str, list[str]] = {}
    for row in tested:
        if row["primary"]:
            primary.setdefault(name(minus(row["contrast"])), []).append(row["metric"])
    if not primary:
        return
    known = [f"{contrast} in {_endpoint(metrics)}" for contrast, metrics in primary.items()]
    corrected = f", corrected by Holm's method{cite('multiple_tests')}" if len(primary) > 1 else ""
    heading = f"Primary contrast{'s' if len(primary) > 1 else ''}{corrected}"
    yield f"{heading}: {'; '.join(known)}. All others are exploratory."
    both = " under each objective of the linear probe" if any("linear probe" in text for text in known) else ""
    yield f"A verdict is conclusive only at p < 0.05{both}."


def _endpoint(metrics: Sequence[str]) -> str:
    """``the linear probe (objectives lgssl and sklearn)``."""
    first, *more = metrics[0].split(".")
    if first != "linear_probe":
        return words(".".join([first, *more]))
    objectives = list(dict.fromkeys(metric.split(".")[1] for metric in metrics))
    return f"the linear probe (objective{'s' if len(objectives) > 1 else ''} {listing(map(name, objectives))})"


def settings_table(methods: Methods) -> list[tuple[str, str, str]]:
    """Section, setting and value, for the appendix; settings that vary by run are in :func:`runs_table`."""
    sections = {"recaption": methods.captions, "pretraining": methods.training, "evaluation": methods.evaluation}
    return [(section, key, shown(value)) for section, values in sections.items() for key, value in values.items()]


def runs_table(methods: Methods) -> list[tuple[str, str, str]]:
    """Arm, seeds and the settings by which it differs from other arms."""
    return [
        (
            " / ".join(name(part) for part in (run.method, run.pairs, run.augmentation, run.tag) if part),
            ", ".join(map(str, run.seeds)),
            "; ".join(f"{key} {shown(value)}" for key, value in run.settings.items()),
        )
        for run in methods.runs
    ]
