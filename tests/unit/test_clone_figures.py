"""The tables that the benchmarks of clones print: medians, ratios to the first way's run, failures."""

from __future__ import annotations

from bench.clones.measuring import Taken
from bench.clones.showing import Rounds, Run, compared, copy_of, of_table

MEGA = 1_000_000


def run(way: str, seconds: float, clients: float = 1.0, *lacking: str, failed: bool = False) -> Run:
    """One of 50 MB, whose source used half of what the clients did, and whose target twice as much."""
    processor = {"clients": clients, "source": clients / 2, "target": clients * 2}
    return Run(way, Taken(seconds, processor, {"clients": 50 * MEGA}), lacking, failed=failed)


def rounds(*ways: tuple[str, list[tuple[float, float]]]) -> Rounds:
    """Of each way the seconds and the clients' seconds of the processor, by run."""
    return {name: [run(name, *each) for each in runs] for name, runs in ways}


def cells(text: str) -> list[list[str]]:
    """Of all tables in a text."""
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]


def test_ratios_are_of_the_same_round_and_figures_are_medians() -> None:
    found = rounds(("ours", [(1.0, 0.5), (4.0, 0.7), (2.0, 0.6)]), ("theirs", [(2.0, 1.0), (4.0, 3.0), (3.0, 2.0)]))
    _, _, ours, theirs = cells(compared(found, 2 * MEGA))
    assert ours == ["ours", "2.00", "1.00 – 4.00", "1.00", "1.00 – 1.00", "0.6", "0.3", "1.2", "50", "complete"]
    assert theirs == ["theirs", "3.00", "2.00 – 4.00", "1.50", "1.00 – 2.00", "2.0", "1.0", "4.0", "50", "complete"]


def test_the_processor_is_for_each_gigabyte() -> None:
    found = rounds(("ours", [(1.0, 0.5), (1.0, 0.7), (1.0, 0.6)]), ("theirs", [(1.0, 0.2)] * 3))
    assert "Ours used 1.20 s of the processor for each GB of 0.50 GB" in compared(found, 500 * MEGA)
    *_, ours, theirs = cells(of_table(found, 500 * MEGA, 400 * MEGA))
    assert ours == ["ours", "0.60", "1.20", "1.50"]
    assert theirs == ["theirs", "0.20", "0.40", "0.50"]


def test_what_a_copy_lacks_is_counted_and_a_failure_is_called_one() -> None:
    good, bad = run("way", 1.0), run("way", 1.0, 1.0, "table a: absent", "table b: absent")
    assert copy_of([good, good]) == "complete"
    assert copy_of([good, bad]) == "2 differences"
    assert copy_of([bad, run("way", 0.1, 0.1, "failed: no such role", failed=True)]) == "1 of 2 failed"
