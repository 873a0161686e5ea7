"""What a study found, as an in-toto statement that is signed by an SSH key and can be recomputed.

The statement (https://in-toto.io/Statement/v1) names the study by its root hash. Its predicate has each primary
contrast with value, interval and verdict, the commits of the code and what the models' files were. ``ssh-keygen -Y``
signs and checks it, so nobody needs this project to check a signature.
"""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from workflow_scripts.core.cache import file_hash
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.errors.text import printed
from workflow_scripts.core.files.bounded_json import Unfit, parse_object, read_bytes
from workflow_scripts.core.files.durable import write_atomic
from workflow_scripts.core.files.jsonio import canonical
from workflow_scripts.provenance.crate.contents import public_text
from workflow_scripts.provenance.nodes import Node, load, study_root
from workflow_scripts.provenance.run_metadata import flat
from workflow_scripts.provenance.summary_tables import CONTRASTS, KINDS, SUMMARY, has_verdict, read_rows

TYPE, PREDICATE = "https://in-toto.io/Statement/v1", "urn:faithful-pairs:study:1"
NAMESPACE = "faithful-pairs"  # of signatures: one made for another purpose does not count
SUFFIX, SIGNED = ".statement.json", ".sig"
LARGEST = 1 << 20  # bytes of a statement or signature
_ARMOUR = re.compile(rb"-----BEGIN SSH SIGNATURE-----\n(?:[A-Za-z0-9+/=]{1,76}\n)+-----END SSH SIGNATURE-----\n")
_Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
_Text = Annotated[str, StringConstraints(max_length=1000)]
_Number = Annotated[float, Field(allow_inf_nan=False)] | None


class _Form(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", populate_by_name=True)


class Subject(_Form):
    """The study, with its root hash."""

    name: _Text
    digest: Annotated[dict[Literal["sha256"], _Sha256], Field(min_length=1)]


class Finding(_Form):
    """A primary contrast: what it compares, its value with the ends of its interval, and its verdict."""

    contrast: _Text
    method: _Text | None
    augmentation: _Text | None
    backbone: _Text | None
    tag: _Text | None
    step: _Text | None
    dataset: _Text | None
    metric: _Text | None
    difference: _Number
    low: _Number
    high: _Number
    p_adjusted: _Number
    verdict: _Text
    reason: _Text | None


class Model(_Form):
    """A source of the study: where it was read from, without private parts, and the hash of its manifest."""

    at: _Text
    sha256: _Sha256


class Code(_Form):
    """The commits that computed the study, and whether any had uncommitted changes."""

    commits: list[_Text]
    changed: bool


class Predicate(_Form):
    """What is stated of the study."""

    contrasts: list[Finding]
    code: Code
    models: dict[_Text, Model]


class Statement(_Form):
    """The statement as a whole."""

    kind: Literal["https://in-toto.io/Statement/v1"] = Field(alias="_type")
    subject: Annotated[list[Subject], Field(min_length=1, max_length=1)]
    predicate_type: Literal["urn:faithful-pairs:study:1"] = Field(alias="predicateType")
    predicate: Predicate

    def data(self) -> bytes:
        """The file's bytes: canonical JSON in one line."""
        return (canonical(self.model_dump(mode="json", by_alias=True)) + "\n").encode()


def statement_of(study: Path) -> Statement:
    """What can be stated of a finished study, from its records and its summary.

    Raises:
        PipelineError: it has no summary, an artifact behind its report is missing, or a table is damaged.
    """
    nodes = load(study)
    root, behind = study_root(nodes)
    counted = [node for node in nodes if node.label in behind]
    summary = next((node for node in counted if node.stage == SUMMARY), None)
    if root is None or summary is None or summary.study != study:
        advice = "give the folder of a finished study, such as results/demo"
        raise PipelineError("not a finished study", study, "no summary, or an artifact behind it is missing", advice)
    gits = [git for node in counted if (git := (node.computation or {}).get("git"))]
    commits = sorted({str(git["commit"]) for git in gits if git.get("commit")})
    contents = {
        "_type": TYPE,
        "subject": [{"name": study.name, "digest": {"sha256": root}}],
        "predicateType": PREDICATE,
        "predicate": {
            "contrasts": _findings(summary),
            "code": {"commits": commits, "changed": any(git.get("dirty") or git.get("diff") for git in gits)},
            "models": {node.name: {"at": public_text(node.at), "sha256": node.hash} for node in counted if node.at},
        },
    }
    return Statement.model_validate(contents)


def _findings(summary: Node) -> list[dict[str, Any]]:
    table, advice = summary.file(KINDS[CONTRASTS]), "see faithful-pairs audit"
    try:
        sha256 = file_hash(table)
    except OSError as error:
        raise PipelineError("unreadable table", table, error.strerror or error, advice) from None
    if sha256 != summary.files.get(KINDS[CONTRASTS], {}).get("sha256"):
        raise PipelineError("damaged table", table, "not the recorded bytes", advice)
    rows = [row.values for row in read_rows(summary, CONTRASTS) if has_verdict(row.values)]
    return [{name: row.get(name) for name in Finding.model_fields} for row in rows]


def read_statement(path: Path) -> tuple[Statement, bytes]:
    """A statement and its bytes.

    Raises:
        PipelineError: the file is missing, too large, or not exactly what :func:`sign` writes.
    """
    advice = "it is not a statement that faithful-pairs sign wrote"
    try:
        data = read_bytes(path, LARGEST)
        statement = Statement.model_validate(parse_object(data))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        value = f"{'.'.join(str(part) for part in first['loc'])[:200]}: {first['msg']}"
        raise PipelineError("invalid statement", path, value, advice) from None
    except (OSError, Unfit) as error:
        raise PipelineError("invalid statement", path, error, advice) from None
    if statement.data() != data:
        raise PipelineError("invalid statement", path, "it is not in canonical form", advice)
    return statement, data


def sign(study: Path, key: Path, path: Path) -> Statement:
    """Write a study's statement to ``path``, and beside it the signature (``<path>.sig``).

    Raises:
        PipelineError: as :func:`statement_of`; or ssh-keygen is missing or can't sign with this key.
    """
    statement = statement_of(study)
    data = statement.data()
    if not key.is_file():
        raise PipelineError("missing key", key, "no such file", "give a private SSH key, or a public one of an agent")
    signature = _ssh("sign", "-f", str(key.absolute()), "-n", NAMESPACE, data=data)
    if signature.returncode:
        raise PipelineError("not signed", key, _last(signature.stderr), "see ssh-keygen -Y sign")
    write_atomic(path, data)
    write_atomic(signature_of(path), signature.stdout)
    return statement


def signature_of(path: Path) -> Path:
    """Where the signature of a statement is."""
    return path.with_name(path.name + SIGNED)


def read_signature(path: Path) -> bytes:
    """The signature beside a statement.

    Raises:
        PipelineError: it is missing, or not exactly one armoured SSH signature.
    """
    signature, advice = signature_of(path), "the statement is worth nothing without it: ask for it, or sign again"
    try:
        armoured = read_bytes(signature, LARGEST)
    except (OSError, Unfit) as error:
        raise PipelineError("no signature", signature, error, advice) from None
    if not _ARMOUR.fullmatch(armoured):
        raise PipelineError("not a signature", signature, "not exactly one armoured SSH signature", advice)
    return armoured


def check_signature(data: bytes, armoured: bytes, signers: Path, identity: str | None) -> str:
    """Check a signature offline; gives the identity that ``signers`` has for the key.

    Args:
        signers: a file in the format of ssh-keygen's ALLOWED SIGNERS.
        identity: the only one that counts; None for any.

    Raises:
        PipelineError: it is not a signature of these bytes for this project by an allowed key.
    """
    advice = "do not trust the statement, or get the signer's key from a source that you trust"
    if not signers.is_file():
        raise PipelineError("missing list of signers", signers, "no such file", "see ssh-keygen, ALLOWED SIGNERS")
    with tempfile.NamedTemporaryFile(suffix=SIGNED) as copy:
        copy.write(armoured)
        copy.flush()
        allowed = ["-f", str(signers.absolute()), "-s", copy.name]
        names = [] if identity is None else [identity]
        if identity is None:
            listed = _ssh("find-principals", *allowed, data=data)
            names = [] if listed.returncode else listed.stdout.decode(errors="replace").splitlines()
        done = None
        for name in names:
            done = _ssh("verify", *allowed, "-n", NAMESPACE, "-I", name, data=data)
            if done.returncode == 0:
                return name
    value = _last(done.stderr or done.stdout) if done else "its key is not in the list of signers"
    raise PipelineError("signature refused", signers, value, advice)


def _ssh(action: str, *words: str, data: bytes) -> subprocess.CompletedProcess[bytes]:
    program = shutil.which("ssh-keygen")
    if program is None:
        raise PipelineError("missing program", "PATH", "ssh-keygen", "install OpenSSH 8.9 or newer")
    return subprocess.run([program, "-Y", action, *words], input=data, capture_output=True, check=False)


def _last(output: bytes) -> str:
    return (output.decode(errors="replace").strip().splitlines() or ["no reason given"])[-1]


def check_study(statement: Statement, study: Path) -> None:
    """Check that a study is the stated one, and its records and summary say what the statement does.

    Raises:
        PipelineError: they do not; names the first difference.
    """
    now, then = (_flat(one.model_dump(mode="json", by_alias=True)) for one in (statement_of(study), statement))
    if now != then:
        place = next(name for name in sorted(now.keys() | then.keys()) if now.get(name) != then.get(name))
        advice = "the statement is of another study or another state of it, or was not made from its tables"
        value = f"{place} is {canonical(now.get(place))[:200]}, {canonical(then.get(place))[:200]} is stated"
        raise PipelineError("the study is not the stated one", study, value, advice)


def _flat(content: dict[str, Any]) -> dict[str, Any]:
    predicate = content["predicate"]
    return flat({**content, "predicate": {**predicate, "contrasts": dict(enumerate(predicate["contrasts"]))}})


def as_text(statement: Statement, checks: Sequence[str]) -> str:
    """The outcome for people: what was checked, and what is stated."""
    study = statement.subject[0]
    lines = [f"{study.name}: root {study.digest['sha256']}", *(f"  {one}" for one in checks)]
    for one in statement.predicate.contrasts:
        names = (one.contrast, one.method, one.augmentation, one.dataset, one.metric)
        interval = "" if one.low is None or one.high is None else f" [{one.low:.4g}, {one.high:.4g}]"
        number = "no value" if one.difference is None else f"{one.difference:.4g}{interval}"
        lines.append(f"  {', '.join(filter(None, names))}: {number}, {one.verdict}")
    return printed(lines if statement.predicate.contrasts else [*lines, "  no primary contrast"])
