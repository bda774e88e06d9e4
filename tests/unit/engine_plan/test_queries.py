"""The query files can be sent to any server."""

from __future__ import annotations

from importlib import resources

import pytest

QUERIES = sorted(file.name for file in resources.files("clone_engine.servers").joinpath("sql").iterdir())


@pytest.mark.parametrize("name", QUERIES)
def test_every_server_encoding_has_the_characters(name: str) -> None:
    """A comment with an ellipsis made clones of LATIN1 databases fail."""
    assert resources.files("clone_engine.servers").joinpath("sql", name).read_bytes().isascii()
