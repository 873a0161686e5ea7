"""Signed statements: checked by ssh-keygen alone, recomputed, and refused in any other form."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq
import pytest

from tests.stages.test_summary import summarise
from workflow_scripts.commands.main import main
from workflow_scripts.core.artifact import MANIFEST, RUN
from workflow_scripts.core.files.jsonio import canonical, pretty
from workflow_scripts.provenance import statement as statements

NAMESPACE = statements.NAMESPACE


class Signed(NamedTuple):
    """A study with its statement, and where the keys are."""

    study: Path
    statement: Path
    keys: Path

    @property
    def signature(self) -> Path:
        return statements.signature_of(self.statement)

    @property
    def signers(self) -> Path:
        return self.keys / "allowed_signers"

    def verify(self) -> int:
        given = ["--statement", str(self.statement), "--signers", str(self.signers)]
        return main(["verify", str(self.study), *given])

    def sign(self, data: bytes, key: str = "key", namespace: str = NAMESPACE) -> None:
        """Sign other bytes by ssh-keygen."""
        self.statement.write_bytes(data)
        words = ["ssh-keygen", "-Y", "sign", "-f", str(self.keys / key), "-n", namespace]
        self.signature.write_bytes(subprocess.run(words, input=data, capture_output=True, check=True).stdout)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Signed:
    """A study whose summary was computed from tables of each image. Never change it."""
    folder = tmp_path_factory.mktemp("signed")
    keys = folder / "keys"
    keys.mkdir()
    for name in ("key", "other"):
        words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(keys / name)]
        subprocess.run(words, check=True)
    (keys / "allowed_signers").write_text(f"ann@example.org {(keys / 'key.pub').read_text()}")
    contrast = {"name": "revised - original", "minuend": "revised", "subtrahend": "original", "primary": True}
    summarise(folder / "results", contrasts=[contrast, {**contrast, "name": "by few", "endpoint": "few_shot"}])
    study = folder / "results" / "study"
    assert main(["sign", str(study), "--key", str(keys / "key")]) == 0
    return Signed(study, study.with_name("study.statement.json"), keys)


@pytest.fixture
def signed(original: Signed, tmp_path: Path) -> Signed:
    """A copy that a test may change."""
    shutil.copytree(original.study.parent.parent, tmp_path, dirs_exist_ok=True)
    return Signed(*(tmp_path / path.relative_to(original.study.parent.parent) for path in original))


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the recomputation, which these forgeries do not reach."""
    monkeypatch.setattr("workflow_scripts.provenance.verify.recompute_summary", lambda *_: None)


def test_ssh_keygen_alone_checks_a_statement(original: Signed) -> None:
    words = ["ssh-keygen", "-Y", "verify", "-f", original.signers, "-I", "ann@example.org", "-n", NAMESPACE]
    data = original.statement.read_bytes()
    done = subprocess.run([*words, "-s", original.signature], input=data, capture_output=True, check=True)
    assert done.stdout.startswith(f'Good "{NAMESPACE}" signature for ann@example.org'.encode())


def test_a_statement_says_what_the_summary_does(original: Signed) -> None:
    content = json.loads(original.statement.read_text())
    assert content["_type"] == "https://in-toto.io/Statement/v1"
    rows = pq.read_table(original.study / "summary" / "summary.contrasts.parquet").to_pylist()
    rows = [row for row in rows if row["verdict"] and row["primary"]]
    assert rows
    stated = content["predicate"]["contrasts"]
    names = ("contrast", "dataset", "metric", "difference", "low", "high", "verdict")
    assert [[one[name] for name in names] for one in stated] == [[row[name] for name in names] for row in rows]
    assert original.statement.read_bytes() == canonical(content).encode() + b"\n"


def test_a_statement_is_recomputed_from_the_stored_tables(original: Signed, capsys: pytest.CaptureFixture[str]) -> None:
    assert original.verify() == 0
    text = capsys.readouterr().out
    assert "signed by ann@example.org" in text and "recomputed from the stored tables" in text


def test_a_table_that_was_replaced_is_refused_when_the_summary_is_recomputed(
    signed: Signed, capsys: pytest.CaptureFixture[str]
) -> None:
    table = sorted((signed.study / "linear_probe").glob("*.parquet"))[0]
    table.write_bytes(sorted((signed.study / "linear_probe").glob("*.parquet"))[-1].read_bytes())
    assert signed.verify() == 1
    assert "the stated numbers do not follow" in capsys.readouterr().err


Change = Callable[[dict[str, Any]], object]
FINDING: dict[str, Any] = {"difference": 0.5, "low": 0.1, "high": 0.9, "p_adjusted": 1e-9, "verdict": "supported"}
FINDING |= {"reason": "because", "contrast": "other", "dataset": "cars", "metric": "m", "step": "1", "method": "byol"}


def contrasts(content: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = content["predicate"]["contrasts"]
    return found


# What a forger who can also sign (a key that is trusted for other statements) might say.
SAID: dict[str, Change] = {
    **{f"changed {name}": lambda c, n=name, v=value: contrasts(c)[0].update({n: v}) for name, value in FINDING.items()},
    "left out contrast": lambda c: contrasts(c).pop(),
    "contrast twice": lambda c: contrasts(c).append(contrasts(c)[0]),
    "other root": lambda c: c["subject"][0]["digest"].update(sha256="0" * 64),
    "other study": lambda c: c["subject"][0].update(name="other"),
    "two subjects": lambda c: c["subject"].append(c["subject"][0]),
    "no subject": lambda c: c["subject"].clear(),
    "other commit": lambda c: c["predicate"]["code"].update(commits=["a" * 40]),
    "hidden changes": lambda c: c["predicate"]["code"].update(changed=not c["predicate"]["code"]["changed"]),
    "invented model": lambda c: c["predicate"]["models"].update(m={"at": "hub:a/b@c", "sha256": "0" * 64}),
    "other type": lambda c: c.update(_type="https://in-toto.io/Statement/v0.1"),
    "other predicate": lambda c: c.update(predicateType="https://slsa.dev/provenance/v1"),
    "unknown field": lambda c: c.update(note="x"),
    "missing field": lambda c: c.pop("predicate"),
    "number as text": lambda c: contrasts(c)[0].update(difference="0.1"),
}
BYTES: dict[str, Callable[[bytes], bytes]] = {
    "trailing bytes": lambda data: data + b" ",
    "second statement": lambda data: data + data,
    "no newline": lambda data: data[:-1],
    "duplicate key": lambda data: data.replace(b'{"_type"', b'{"_type":"x","_type"', 1),
    "other layout": lambda data: pretty(json.loads(data)),
    "infinite": lambda data: data.replace(b'"high":', b'"high":1e999,"x":', 1),
    "not JSON": lambda data: b"\x00" + data,
    "too large": lambda data: data + b" " * statements.LARGEST,
    "deep": lambda data: b"[" * 100_000,
}


@pytest.mark.parametrize("name", [*SAID, *BYTES])
def test_forged_content_is_refused_even_if_it_is_signed_by_a_trusted_key(
    name: str, signed: Signed, stored: None, capsys: pytest.CaptureFixture[str]
) -> None:
    data = signed.statement.read_bytes()
    if name in SAID:
        content = json.loads(data)
        SAID[name](content)
        forged = canonical(content).encode() + b"\n"
    else:
        forged = BYTES[name](data)
    assert forged != data
    signed.sign(forged)
    assert signed.verify() == 1
    said = capsys.readouterr()
    assert said.out == "" and said.err.startswith("error: ") and "bug in" not in said.err


def other_key(signed: Signed) -> None:
    signed.sign(signed.statement.read_bytes(), key="other")


def other_namespace(signed: Signed) -> None:
    signed.sign(signed.statement.read_bytes(), namespace="git")


def changed_after_signing(signed: Signed) -> None:
    signed.statement.write_bytes(signed.statement.read_bytes().replace(b'"verdict":"', b'"verdict":"un', 1))


def signature_of_another(signed: Signed) -> None:
    data = signed.statement.read_bytes()
    signed.sign(data + b"x")
    signed.statement.write_bytes(data)


def no_signature(signed: Signed) -> None:
    signed.signature.unlink()


def bytes_after_the_signature(signed: Signed) -> None:
    signed.signature.write_bytes(signed.signature.read_bytes() + b"more\n")


def signature_without_armour(signed: Signed) -> None:
    signed.signature.write_bytes(b"SSHSIG" * 9)


def no_signers(signed: Signed) -> None:
    signed.signers.unlink()


def signer_of_other_things(signed: Signed) -> None:
    signed.signers.write_text(f'ann namespaces="git" {(signed.keys / "key.pub").read_text()}')


def signer_whose_time_is_over(signed: Signed) -> None:
    signed.signers.write_text(f'ann valid-before="20200101" {(signed.keys / "key.pub").read_text()}')


def table_and_manifest_replaced(signed: Signed) -> None:
    manifest = sorted((signed.study / "linear_probe").glob(f"*{MANIFEST}"))[0]
    content = json.loads(manifest.read_bytes())
    manifest.write_bytes(pretty({**content, "rows": {"in": 1, "out": 1, "dropped": {}}}))


def contrasts_replaced(signed: Signed) -> None:
    table = signed.study / "summary" / "summary.contrasts.parquet"
    rows = pq.read_table(table)
    table.unlink()
    pq.write_table(rows.slice(0, 1), table)


def artifact_gone(signed: Signed) -> None:
    (signed.study / "summary" / f"summary{MANIFEST}").unlink()


def record_of_another_commit(signed: Signed) -> None:
    path = signed.study / "summary" / f"summary{RUN}"
    record = json.loads(path.read_bytes())
    path.write_bytes(pretty({**record, "git": {"commit": "b" * 40, "dirty": False, "diff": None}}))


FORGERIES = (
    other_key,
    other_namespace,
    changed_after_signing,
    signature_of_another,
    no_signature,
    bytes_after_the_signature,
    signature_without_armour,
    no_signers,
    signer_of_other_things,
    signer_whose_time_is_over,
    table_and_manifest_replaced,
    contrasts_replaced,
    artifact_gone,
    record_of_another_commit,
)


@pytest.mark.parametrize("forge", FORGERIES)
def test_forgeries_of_signature_and_study_are_refused(
    forge: Callable[[Signed], None], signed: Signed, stored: None, capsys: pytest.CaptureFixture[str]
) -> None:
    forge(signed)
    assert signed.verify() == 1
    said = capsys.readouterr()
    assert said.out == "" and said.err.startswith("error: ") and "bug in" not in said.err


def test_only_the_named_identity_counts(original: Signed, stored: None, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["verify", str(original.study), "--statement", str(original.statement), "--signers", str(original.signers)]
    assert main([*given, "--identity", "ann@example.org"]) == 0
    assert main([*given, "--identity", "bob@example.org"]) == 1
    assert "signature refused" in capsys.readouterr().err


def test_options_that_would_do_nothing_are_refused(original: Signed) -> None:
    given = ["verify", str(original.study), "--statement", str(original.statement)]
    assert main(given) == 2
    assert main([*given, "--signers", str(original.signers), "--sample", "3"]) == 2
    assert main(["verify", str(original.study), "--signers", str(original.signers)]) == 2


def test_a_key_that_cannot_sign_leaves_no_statement(signed: Signed, tmp_path: Path) -> None:
    (tmp_path / "bad").write_text("no key\n")
    for key in ("bad", "none"):
        out = tmp_path / "new.json"
        assert main(["sign", str(signed.study), "--key", str(tmp_path / key), "--out", str(out)]) == 1
        assert not out.exists()
