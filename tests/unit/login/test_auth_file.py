"""The auth file: what its lines may be, and what is refused without being shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.config import ConfigError
from proxy.login.auth_file import AuthFile, AuthFiles, check_auth_file, parse
from proxy.login.credential import Password
from proxy.login.scram import derive, verifier_of

ROLE = derive(b"pencil", b"0123456789abcdef", 5000)


def test_lines() -> None:
    text = '; a comment\n\n"alice" "secret"\r\n  "b ""ob"\t"say ""hi"""  \n"c" "SCRAM"\n'
    assert parse(text, "f") == {"alice": "secret", 'b "ob': 'say "hi"', "c": "SCRAM"}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("alice secret", "not of the form"),
        ('"alice"', "not of the form"),
        ('"alice" "secret" "more"', "not of the form"),
        ('"" "secret"', "not of the form"),
        ('"alice" ""', "no verifier and no password"),
        ('"first" "secret"', "has a line already"),
        ('"alice" "md5' + 32 * "a" + '"', "md5 hash cannot be used"),
        ('"alice" "SCRAM-SHA-256$4096:secret"', "incomplete"),
    ],
)
def test_a_line_that_cannot_be_used_is_named_and_not_shown(line: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as refused:
        parse(f'"first" "x"\n{line}\n', "/etc/auth")
    assert "line 2" in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read auth\.file"):
        check_auth_file(tmp_path / "none")


def test_who_is_not_in_the_file_looks_like_who_is() -> None:
    verifier = "SCRAM-SHA-256$5000:MDEyMzQ1Njc4OWFiY2RlZg==$" + ":".join(2 * ["A" * 43 + "="])
    file = AuthFile({"alice": verifier, "bob": "password"}, b"secret")
    nobody, other = file.entry("nobody"), file.entry("other")
    assert not nobody.known
    assert nobody.verifier.salt == file.entry("nobody").verifier.salt
    assert nobody.verifier.salt != other.verifier.salt
    assert {len(file.entry(role).verifier.salt) for role in ("alice", "bob", "nobody")} == {16}
    assert {file.entry(role).verifier.iterations for role in ("alice", "bob", "nobody")} == {5000}


def test_a_password_is_checked_and_kept() -> None:
    file = AuthFile({"bob": "pencil"}, b"secret")
    entry = file.entry("bob")
    assert entry.password == Password(b"pencil")
    assert verifier_of(derive(b"pencil", entry.verifier.salt, entry.verifier.iterations)) == entry.verifier
    assert "pencil" not in f"{file!r} {entry!r} {entry}"


def test_what_a_password_has_come_to_is_not_worked_out_again(tmp_path: Path) -> None:
    """It takes a millisecond or more, which no session should wait for at each reload."""
    files, path = AuthFiles(lambda: b"secret"), tmp_path / "auth"
    path.touch(mode=0o600)
    path.write_text('"alice" "one"\n"bob" "two"\n')
    first = files.read(path)
    path.write_text('"alice" "one"\n"bob" "other"\n')
    second = files.read(path)
    assert second.entry("alice") is first.entry("alice")
    assert second.entry("bob").password == Password(b"other")
    assert second.entry("bob").verifier != first.entry("bob").verifier
