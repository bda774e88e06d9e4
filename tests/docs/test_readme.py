"""The documents say what the code has: functions, view columns, options, make targets, links."""

from __future__ import annotations

import re

import pytest

from clone_engine.asking.options import readers
from clone_engine.records.phases import PHASES
from proxy.calls.signatures import FUNCTIONS, VIEW, VIEW_COLUMNS, Signature
from tests.clone.kind_cases import KINDS, NO_KIND
from tests.clone.test_kinds import test_it_arrives_as_it_was as every_kind
from tests.docs.repository import ROOT, text

README = text("README.md")
DOCUMENTS = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "FAULTS.md")


def _declaration(signature: Signature) -> str:
    return f"{signature.flat}({', '.join(map(str, signature.arguments))})"


@pytest.mark.parametrize("signature", FUNCTIONS, ids=_declaration)
def test_every_function_is_in_the_readme_as_it_is_declared_and_with_an_example(signature: Signature) -> None:
    assert f"| `{_declaration(signature)}` |" in README
    examples = "".join(re.findall(r"```sql\n(.*?)```", README, re.DOTALL))
    assert f"{signature.flat}(" in examples


def test_the_view_and_its_columns_are_in_the_readme_in_order() -> None:
    assert f"pgclone_{VIEW}" in README
    listed = re.search(r"Columns of the view: (.*?)\.\s", README, re.DOTALL)
    assert listed is not None
    assert re.findall(r"`(\w+)`", listed[1]) == [name for name, _ in VIEW_COLUMNS]


def test_every_phase_is_in_the_readme_in_order() -> None:
    table = README.partition("| phase | what happens |\n|---|---|\n")[2].partition("\n\n")[0]
    assert table.splitlines() == [
        f"| {f'`{name}`' if name else '(empty)'} | {p.meaning} |" for name, p in PHASES.items()
    ]


def test_the_number_of_columns_in_the_readme() -> None:
    assert f"| `pgclone_progress_detail()` | {len(VIEW_COLUMNS)} columns |" in README


@pytest.mark.parametrize("option", sorted({*readers("table"), *readers("database")}))
def test_every_option_has_a_row_in_the_readme(option: str) -> None:
    assert re.search(rf"^\| `{option}` \|", README, re.MULTILINE)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_test_directories_and_make_targets_of_the_documents_exist(document: str) -> None:
    written = text(document)
    for link in re.findall(r"\]\(([^)#]+)\)", written):
        assert link.startswith("https://") or (ROOT / link).exists(), link
    for place in re.findall(r"`(tests/[\w./]+)`", written):
        assert (ROOT / place).exists(), place
    targets = set(re.findall(r"^([a-z-]+):", text("Makefile"), re.MULTILINE))
    for target in re.findall(r"(?:^ {4}|`)make ([a-z-]+)", written, re.MULTILINE):
        assert target in targets, target


def test_each_kind_of_object_is_in_the_table_with_the_cases_that_show_it() -> None:
    rows = re.search(r"### Kind by kind\n(.*?)\n1\. ", README, re.DOTALL)
    assert rows is not None
    shown = [re.findall(r"`(\w+)`", row.split("|")[6]) for row in re.findall(r"^\| (?=\w).*", rows[1], re.MULTILINE)]
    assert all(shown)
    (cases,) = (mark.args[1] for mark in vars(every_kind)["pytestmark"] if mark.args[0] == "kind")
    assert sorted(name for names in shown for name in names) == sorted(set(cases) - {NO_KIND})


@pytest.mark.parametrize("case", KINDS)
def test_a_kind_that_clones_leave_out_has_no_full_mark(case: str) -> None:
    (row,) = (row for row in README.splitlines() if row.startswith("| ") and f"`{case}`" in row.rpartition("| ")[2])
    assert row.split("|")[5].strip() == ("○" if KINDS[case].left_out else "●")


def test_the_readme_test_command_is_what_ci_runs() -> None:
    assert re.search(r"^make test$", text(".ci/run"), re.MULTILINE)
    assert re.search(r"^ {4}make test\b", README, re.MULTILINE)


MODULES = sorted(
    path.relative_to(ROOT).with_suffix("").as_posix()
    for package in ("proxy", "clone_engine")
    for path in (ROOT / package).rglob("*.py")
    if path.stem != "__init__"
)


@pytest.mark.parametrize("module", MODULES)
def test_every_module_is_in_the_map_of_the_architecture(module: str) -> None:
    tables = "\n".join(line for line in text("ARCHITECTURE.md").splitlines() if line.startswith("| `"))
    assert f"`{module.rpartition('/')[2]}`" in tables


def test_the_map_of_the_architecture_names_no_module_that_is_gone() -> None:
    tables = text("ARCHITECTURE.md").split("## Processes")[0]
    named = {name for row in re.findall(r"^\| (`.*)", tables, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
    assert named <= {module.rpartition("/")[2] for module in MODULES}


LAYERS = ("records", "asking", "ddl", "servers", "planning", "running", "jobs")


@pytest.mark.parametrize("package", LAYERS)
def test_a_package_of_the_engine_imports_only_those_above_it(package: str) -> None:
    above = LAYERS[: LAYERS.index(package) + 1]
    for path in (ROOT / "clone_engine" / package).glob("*.py"):
        imported = re.findall(
            r"^\s*(?:from|import) clone_engine\.(\w+)", path.read_text(encoding="utf-8"), re.MULTILINE
        )
        assert set(imported) <= set(above), path
