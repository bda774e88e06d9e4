"""What a call names as its source: a conninfo, or a source of the configuration."""

from __future__ import annotations

import pytest

from clone_engine.asking.source import read_source
from clone_engine.records.errors import PgError


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        ("prod", {"source": "prod"}),
        (" prod_2 ", {"source": "prod_2"}),
        ("source=prod", {"source": "prod"}),
        (" source = prod\tdbname=x ", {"source": "prod", "dbname": "x"}),
        ("source=prod dbname='a b' connect_timeout=3 application_name=me",
         {"source": "prod", "dbname": "a b", "connect_timeout": "3", "application_name": "me"}),
        ("host=h dbname=source", {"host": "h", "dbname": "source", "user": "caller"}),
        ("dbname=prod", {"dbname": "prod", "user": "caller"}),
    ],
)  # fmt: skip
def test_read(text: str, parameters: dict[str, str]) -> None:
    assert read_source(text, "caller").parameters == parameters


@pytest.mark.parametrize(
    "added",
    ["host=h", "hostaddr=10.0.0.1", "port=1", "user=u", "password=S3cret", "sslmode=disable", "options='-c role=x'",
     "passfile=/x", "dbname='host=evil'", "source=other", "nonsense", "postgresql://evil/", "dbname='S3cret"],
)  # fmt: skip
def test_where_and_as_whom_cannot_be_added_to_a_name(added: str) -> None:
    with pytest.raises(PgError) as refused:
        read_source(f"source=prod {added}", "caller")
    assert refused.value.sqlstate == "22023"
    assert "S3cret" not in f"{refused.value.message} {refused.value.detail} {refused.value.hint}"


@pytest.mark.parametrize("text", [None, "", "Prod", "1prod", "a-b", "dbname=x source=prod", "source=", "source=prod;x"])
def test_what_is_no_name_is_read_as_a_conninfo(text: str | None) -> None:
    with pytest.raises(PgError) as refused:
        read_source(text, "caller")
    assert refused.value.sqlstate == ("22004" if text is None else "22023")
