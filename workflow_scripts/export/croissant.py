"""Metadata of a study's tables in Croissant 1.1, with fields on responsible AI (Croissant RAI 1.0)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from workflow_scripts.core.artifact import Artifact
from workflow_scripts.export.appendix import CAPTIONS
from workflow_scripts.export.finished import Finished, days_of
from workflow_scripts.reporting.methods import HUB, as_text, paragraphs

VERSIONS = ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"]
PARQUET = "application/x-parquet"
TERMS = ("citeAs", "column", "extract", "field", "fileObject", "fileSet", "includes", "recordSet", "source")
# Of the context that mlcroissant writes for version 1.1, what is used here.
CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    **{term: f"cr:{term}" for term in TERMS},
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "name": {"@container": "@language"},
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
}
COLUMNS = {
    "key": "name of the image in all tables",
    "url": "address of the image; local:, a hash and a name if it came from a local source",
    "state": "how the request ended; ok: there is an image",
    "sha256": "of the stored image",
    "caption": "the text",
    "origin": "which caption was chosen",
    "itm": "image-text matching score of the caption",
    "source": "key of an image",
    "target": "key of its partner",
    "rank": "1: the first partner",
    "cosine": "similarity of the two vectors",
}
IMAGES = "images"
GENERATED = "Generated captions have the biases of the models that wrote and scored them."
STAGES = {"download": IMAGES, "select_captions": "captions", "pair_table": "pairs"}


@dataclass(frozen=True)
class TableFile:
    """A parquet file that the metadata describes: its name there, the artifact's file, and its recorded hash."""

    group: str
    name: str
    path: Path
    sha256: str
    size: int


def table_files(study: Finished) -> list[TableFile]:
    """The tables of images (a file for each shard), captions (one for each arm) and pairs, verified."""
    found = []
    for stage, group in STAGES.items():
        for node in study.of_stage(stage):
            path = Artifact(node.path).path(".parquet")
            entry = node.files[".parquet"]
            found.append(TableFile(group, f"{group}-{node.name}.parquet", path, entry["sha256"], entry["bytes"]))
    return found


def croissant(study: Finished, files: Sequence[TableFile], licence: str) -> dict[str, Any]:
    """The metadata as JSON values.

    Args:
        licence: of the tables, as the user gives it.
    """
    objects: list[dict[str, Any]] = []
    for file in (file for file in files if file.group != IMAGES):
        name = file.name.removesuffix(".parquet")
        about = {"name": name, "contentUrl": file.name, "contentSize": f"{file.size} B", "encodingFormat": PARQUET}
        objects.append({"@type": "cr:FileObject", "@id": f"file-{name}", **about, "sha256": file.sha256})
    sets = [_record_set(file.name.removesuffix(".parquet"), file) for file in files if file.group != IMAGES]
    if images := next((file for file in files if file.group == IMAGES), None):
        shards = {"name": IMAGES, "encodingFormat": PARQUET, "includes": f"{IMAGES}-*.parquet"}
        objects.append({"@type": "cr:FileSet", "@id": IMAGES, **shards, "description": "One file for each shard."})
        sets.append(_record_set(IMAGES, images))
    name = study.settings.study
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "name": name,
        "description": f"Images (addresses and states, not pixels), captions by arm and pairs of the study {name}.",
        "conformsTo": VERSIONS,
        "license": licence,
        "version": "1.0.0",
        "datePublished": study.days[1],
        "citeAs": f"Study {name}, made with Faithful Pairs; root hash {study.root}",
        "keywords": ["self-supervised learning", "image captions", "positive pairs"],
        **responsible(study),
        "distribution": objects,
        "recordSet": sets,
    }


def _record_set(name: str, file: TableFile) -> dict[str, Any]:
    """Fields of a table's columns, without those that hold lists."""
    kind, identifier = ("fileSet", name) if file.group == IMAGES else ("fileObject", f"file-{name}")
    about = {"@type": "cr:RecordSet", "@id": f"records-{name}", "name": f"records-{name}"}
    fields = [
        {
            "@type": "cr:Field",
            "@id": f"records-{name}/{column.name}",
            "name": column.name,
            "description": COLUMNS.get(column.name, column.name),
            "dataType": kind_of,
            "source": {kind: {"@id": identifier}, "extract": {"column": column.name}},
        }
        for column in pq.read_schema(file.path)
        if (kind_of := _type_of(column))
    ]
    return {**about, "description": f"Rows of {file.group}.", "field": fields}


def _type_of(column: pa.Field) -> str:
    if column.name == "url":
        return "sc:URL"
    if pa.types.is_boolean(column.type):
        return "sc:Boolean"
    if pa.types.is_integer(column.type):
        return "sc:Integer"
    if pa.types.is_floating(column.type):
        return "sc:Float"
    return "sc:Text" if pa.types.is_string(column.type) or pa.types.is_large_string(column.type) else ""


def responsible(study: Finished) -> dict[str, Any]:
    """Fields on responsible AI that follow from records; what only the authors know is left out."""
    methods = study.settings.methods
    prose = {paragraph.title: as_text(paragraph.text) for paragraph in paragraphs(study.settings, study.counts)}
    fetched = days_of(record for stage, record in study.records if stage == "download")
    public = [at for role, at in methods.models.items() if at.startswith(HUB) and not role.startswith(CAPTIONS)]
    source, kind, personal = _origin(methods.synthetic, methods.redcaps)
    known = {
        "dataCollection": source,
        "dataCollectionType": [kind],
        "dataCollectionTimeFrame": list(dict.fromkeys(fetched)) if fetched[0] and methods.redcaps else [],
        "dataCollectionMissingData": f"{prose.get('Data', '')} Tables of images list every usable row with its state.",
        "dataPreprocessingProtocol": [
            f"Images are stored with at most {methods.image_side} pixels on the longer side.",
            "Annotation rows without a usable caption, and repeated ids, are left out and counted by reason.",
        ],
        "dataAnnotationProtocol": [prose[title] for title in ("Captions", "Pairs") if title in prose],
        "machineAnnotationTools": sorted({at.removeprefix(HUB) for at in public}),
        "dataBiases": [
            "Subjects, places and languages are those of the source. Tables of images keep rows whose image was lost.",
            *([GENERATED] if methods.captions else []),
        ],
        "dataLimitations": [
            "Images are not included. Addresses on the web can stop working; others name files of the study.",
            "Captions can be wrong, and were not corrected.",
        ],
        "dataUseCases": ["Research on learning from captioned images. Not for identifying people."],
        "personalSensitiveInformation": [personal],
        "dataReleaseMaintenancePlan": "Rows can be removed from the study by id or address; copies must be replaced.",
    }
    return {f"rai:{name}": value for name, value in known.items() if value}


def _origin(synthetic: bool, redcaps: bool) -> tuple[str, str, str]:
    """How the data were collected, its kind in RAI's terms, and what personal information there is."""
    if synthetic:
        return "Images and titles were drawn by a generator.", "Others", "None: images and texts are synthetic."
    if redcaps:
        source = "Posts of Reddit with an image and a title, as RedCaps lists them; images were fetched by address."
        return source, "Web Scraping", "Titles and images are by people who posted them; they can name and show people."
    source = "Captioned images that the authors of the study provided."
    return source, "Others", "Not examined: captions and images can name and show people."
