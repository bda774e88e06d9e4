"""How pg_dump is run."""

from __future__ import annotations

import pytest

from clone_engine.records.errors import PgError
from clone_engine.records.request import Conninfo
from clone_engine.servers import dump
from clone_engine.servers.programs import PgDump


def test_a_password_that_must_be_asked_for_is_asked_for_by_whichever_host_answers() -> None:
    several = Conninfo({"host": "a,b", "password": "p"}, password_demanded=True)
    new, old = PgDump(16, 0, "pg_dump"), PgDump(15, 0, "pg_dump")
    assert dump._asked(new, several) == {"require_auth": "password,md5,scram-sha-256"}
    assert dump._asked(new, Conninfo(several.parameters)) == {}
    assert dump._asked(old, Conninfo({"host": "a"}, password_demanded=True)) == {}
    with pytest.raises(PgError, match="several hosts"):
        dump._asked(old, several)
