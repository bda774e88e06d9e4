"""The job process with hand-made plans on real servers: what arrives, what is said, how it works in parallel."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from clone_engine.channel import Advanced, Begun, Done
from tests.harness.servers import Database
from tests.integration.job_runs import (
    BIG_ROWS,
    CONTENTS,
    SHOP,
    Clone,
    cloning,
    whole_plan,
)


@pytest.fixture
def clone(source_database: Database, target_database: Database, tmp_path: Path) -> Iterator[Clone]:
    source_database.execute(SHOP)
    with cloning(source_database, target_database, tmp_path) as clone:
        yield clone


@pytest.mark.parametrize("parallel", [1, 4])
def test_a_plan_is_carried_out(clone: Clone, parallel: int) -> None:
    job = clone.run(whole_plan(clone.source, 5), parallel)
    ended = job.wait()
    assert (ended.status, ended.error) == ("completed", "")
    for table in ("customers", "orders", "nothing"):
        assert clone.target.rows(CONTENTS.format(table)) == clone.source.rows(CONTENTS.format(table))
    assert clone.target.value("SELECT count(*) FROM pg_constraint WHERE conname LIKE 'orders_%fkey'") == 1
    keys = {"definitions", "table shop.customers", "table shop.orders", "table shop.nothing", "pk", "index", "fk"}
    assert set(job.done()) == set(job.begun()) == keys
    assert len(job.done()) == len(job.begun()) == len(keys)
    for key in keys:
        assert job.said.index(Begun(key)) < job.said.index(Done(key))
    seen = [message.progress for message in job.all(Advanced)]
    last = seen[-1]
    assert (last.pct_complete, last.tables_total, last.tables_completed) == (100.0, 3, 3)
    assert last.rows_copied == BIG_ROWS + 1000
    size = clone.source.value("SELECT sum(length(t::text)) FROM shop.orders t")
    assert 0.5 * size < last.bytes_copied < 2 * size
    for before, after in pairwise(seen):
        assert before.pct_complete <= after.pct_complete
        assert before.tables_completed <= after.tables_completed
    assert job.errors() == ""
    clone.assert_gone()
