"""PostgreSQL's own suites: regression, isolation, and libpq's pipelines, cancels and protocol versions."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from proxy.embedded import SUPERUSER
from proxy.installations import Installation, installations
from tests.suites.places import NotPossibleError, Outcome, Outcomes, Place, give_to_server, run
from tests.suites.sources import postgresql

SEPARATE_LIBRARIES = ("autoinc", "refint")
"""Of contrib, used by the regression tests before version 18."""
MOST_LINES = 4
"""Of a difference that is shown."""
TWICE = {"protocol 3.0": "", "newest protocol": " max_protocol_version=latest"}


def regression(place: Place) -> Outcomes:
    """src/test/regress in the order of parallel_schedule; what a test says is the text of its output."""
    runner = _runner(place, "regress/pg_regress")
    suite = _copied(place, "regress", ("data", "expected", "sql", "parallel_schedule", "resultmap"))
    _build_library(place, suite)
    return _regress(place, suite, runner, [f"--dlpath={suite}", "--max-concurrent-tests=20"], "parallel_schedule")


def isolation(place: Place) -> Outcomes:
    """src/test/isolation."""
    runner = _runner(place, "isolation/pg_isolation_regress")
    suite = _copied(place, "isolation", ("expected", "specs", "isolation_schedule"))
    return _regress(place, suite, runner, [], "isolation_schedule")


def libpq_pipeline(place: Place) -> Outcomes:
    """src/test/modules/libpq_pipeline, each test with both protocol versions; what it says is libpq's trace."""
    source = postgresql(place.server.installation.major) / "src" / "test" / "modules" / "libpq_pipeline"
    program = _build_libpq_pipeline(place, source)
    # PostgreSQL compares these too; how much the other tests send depends on the size of buffers.
    compared = {path.stem for path in (source / "traces").glob("*.trace")}
    found = {}
    for name in run([program, "tests"], place.directory).stdout.split():
        for protocol, more in TWICE.items():
            trace = place.directory / "trace"
            connection = f"host=127.0.0.1 port={place.port} user={SUPERUSER} dbname=postgres{more}"
            done = run([program, "-r", "700", "-t", trace, name, connection], place.directory)
            traced = trace.read_text() if name in compared and trace.exists() else ""
            trace.unlink(missing_ok=True)
            found[f"{name}, {protocol}"] = Outcome(done.returncode == 0, _comparable(traced))
    return found


def _comparable(trace: str) -> str:
    """Each direction by itself, since they overlap as it happens, and without what differs from run to run."""
    lines = re.sub(r"(BackendKeyData|port)\t.*", r"\1", trace).splitlines()
    return "\n".join(sorted(lines, key=lambda line: line[:1]))


def _runner(place: Place, program: str) -> Path:
    """Asked first: without it there is no need to fetch anything."""
    found = next(place.server.installation.bin_dir.parent.glob(f"lib/**/pgxs/src/test/{program}"), None)
    if found is None or run([found, "--version"], place.directory).returncode:
        raise NotPossibleError(f"no {program} that runs is installed for version {place.server.installation.major}")
    return found


def _regress(place: Place, suite: Path, runner: Path, options: list[str], schedule: str) -> Outcomes:
    give_to_server(place.directory)
    installed = place.server.installation.bin_dir
    common = [f"--inputdir={suite}", f"--outputdir={suite}", f"--bindir={installed}"]
    common += ["--host=127.0.0.1", f"--port={place.port}", f"--user={SUPERUSER}", f"--schedule={suite}/{schedule}"]
    environment = {"PGUSER": SUPERUSER, "LD_LIBRARY_PATH": str(installed.parent / "lib")}
    said = run([runner, *common, *options], suite, environment, as_server=True).stdout
    why = _differences(_text(suite / "regression.diffs"))
    outputs = sorted((suite / "results").glob("*.out"))
    if not outputs:
        raise NotPossibleError(f"{runner.name} has run no test: {said.strip().splitlines()[-1:]}")
    return {path.stem: Outcome(path.stem not in why, _text(path), why.get(path.stem, "")) for path in outputs}


def _differences(diffs: str) -> dict[str, str]:
    """What of each test that has not passed differs from the expected output: how much, and how that begins."""
    found = {}
    for named in re.finditer(r"^diff .*/(?P<test>\S+)\.out\n(?P<diff>(?:(?!diff ).*\n)*)", diffs, re.MULTILINE):
        lines = re.findall(r"^[-+](?![-+]).*", named["diff"], re.MULTILINE)
        found[named["test"]] = f"{named['test']}: {len(lines)} lines, {' / '.join(lines[:MOST_LINES])}"
    return found


def _copied(place: Place, name: str, parts: tuple[str, ...]) -> Path:
    """A copy of a suite that the server's account may write to."""
    source = postgresql(place.server.installation.major) / "src" / "test" / name
    suite = place.directory / name
    suite.mkdir()
    for part in parts:
        of = source / part
        (shutil.copytree if of.is_dir() else shutil.copy)(of, suite / part)
    return suite


def _build_library(place: Place, suite: Path) -> None:
    source = postgresql(place.server.installation.major) / "src" / "test" / "regress" / "regress.c"
    installed = _installed(place.server.installation.major)
    headers = run([installed.program("pg_config"), "--includedir-server"], suite).stdout.strip()
    run(["cc", "-O1", "-shared", "-fPIC", "-w", "-I", headers, "-o", suite / "regress.so", source], suite)
    if not (suite / "regress.so").exists():
        raise NotPossibleError("regress.so cannot be built without a C compiler and the server's headers")
    libraries = Path(run([installed.program("pg_config"), "--pkglibdir"], suite).stdout.strip())
    for name in SEPARATE_LIBRARIES:
        if (libraries / f"{name}.so").exists():
            shutil.copy(libraries / f"{name}.so", suite)


def _build_libpq_pipeline(place: Place, directory: Path) -> Path:
    """Built with the libpq of the server's installation."""
    program = place.directory / "libpq_pipeline"
    pg_config = _installed(place.server.installation.major).program("pg_config")
    server, client, libraries = (
        run([pg_config, f"--{name}"], directory).stdout.strip()
        for name in ("includedir-server", "includedir", "libdir")
    )
    static = next((str(path.parent) for path in Path(libraries).parent.glob("**/libpgcommon.a")), libraries)
    command: list[str | Path] = ["cc", "-O1", "-no-pie", "-w", "-o", program, "libpq_pipeline.c"]
    command += ["-I", client, "-I", server, "-L", libraries, f"-Wl,-rpath,{libraries}", "-lpq"]
    said = run([*command, "-L", static, "-lpgcommon", "-lpgport"], directory).stdout
    if not program.exists():
        raise NotPossibleError(f"libpq_pipeline cannot be built: {said.strip().splitlines()[-1:]}")
    return program


def _installed(major: int) -> Installation:
    """Where the headers are: a server of ours may run from a copy without them."""
    return next(found for found in installations() if found.major == major)


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""
