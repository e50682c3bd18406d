"""The wheel, built from the source archive, installed into a clean environment, run from `/`."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")

# The environment is built once for the file: the first test pays for all of them.
pytestmark = pytest.mark.timeout(300)


@dataclass(frozen=True)
class Installed:
    """A virtual environment that holds the wheel and what the wheel asks for, nothing else."""

    home: Path

    def run(self, *command: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Run one of its scripts from `/` in a bare environment, as cron would."""
        environ = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "BUSCTL_STORE_DIR": str(self.home / "store"),
            "BUSCTL_STATE_DIR": str(self.home / "state"),
        }
        script = str(self.home / "venv/bin" / command[0])
        return subprocess.run(
            [script, *command[1:]],
            cwd="/",
            env=environ,
            input=stdin,
            capture_output=True,
            timeout=90,
        )


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder that the embedded server's own user can reach: pytest's tmp_path is 0700."""
    with tempfile.TemporaryDirectory(prefix="busctl-wheel-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def sdist(folder: Path) -> Path:
    python(ROOT, "-m", "build", "--no-isolation", "--sdist", "--outdir", str(folder / "sdist"), ".")
    (archive,) = (folder / "sdist").glob("*.tar.gz")
    return archive


@pytest.fixture(scope="module")
def wheel(folder: Path, sdist: Path) -> Path:
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "source", filter="data")
    (source,) = (folder / "source").iterdir()
    python(
        source, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(folder / "wheel"), "."
    )
    (built,) = (folder / "wheel").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(folder: Path, wheel: Path) -> Iterator[Installed]:
    """Resolve the wheel's own requirements, at the locked versions, into a new environment."""
    python(folder, "-m", "venv", str(folder / "venv"))
    constraints = folder / "constraints.txt"
    constraints.write_text("\n".join(locked_versions()))
    pip = [str(folder / "venv/bin/python"), "-m", "pip", "install", "--quiet", "--no-compile"]
    succeed([*pip, "--constraint", str(constraints), str(wheel)], folder)
    environment = Installed(folder)
    yield environment
    environment.run("busctl", "store", "stop")


def python(cwd: Path, *arguments: str) -> None:
    succeed([sys.executable, *arguments], cwd)


def succeed(command: Sequence[str], cwd: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        command, cwd=cwd, env=environ, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


def locked_versions() -> list[str]:
    """`name==version ; marker` for each package of the lock, without the hashes.

    The wheel under test has no hash, and one hash makes pip demand them all. Nor are there extras:
    pip takes none in constraints, and each is locked beside its own package.
    """
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    locked = [line.rstrip(" \\") for line in lines if re.match(r"[a-z0-9]", line)]
    return [line for line in locked if "[" not in line.partition("==")[0]]


def names_under(folder: Path, suffix: str) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob(f"*{suffix}")}


def test_wheel_holds_every_module_and_every_sql_file(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    sql = {f"busctl/sql/{name}" for name in names_under(ROOT / "sql", ".sql")}
    modules = {
        f"{package}/{name}"
        for package in ("busctl", "audits")
        for name in names_under(ROOT / package, ".py")
    }
    assert sql
    assert sql <= names
    assert modules <= names
    assert "busctl/py.typed" in names
    assert "busctl/adapters/postgres/certificates/supabase-roots.crt" in names
    assert {name.split("/")[0] for name in names} == {"busctl", "audits", "busctl-0.1.0.dist-info"}


def test_source_archive_is_complete(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames()}
    tracked = {
        *("pyproject.toml", "Makefile", "LICENSE", "README.md", "CONTRIBUTING.md"),
        *("requirements.lock", ".env.example", ".env.testing", ".ci/run"),
        *(f"sql/{name}" for name in names_under(ROOT / "sql", ".sql")),
        *(f"tests/{name}" for name in names_under(ROOT / "tests", ".py")),
        *(f"docs/{name}" for name in names_under(ROOT / "docs", ".md")),
    }
    assert tracked - names == set()
    assert not {".env", "dist", ".venv"} & {name.split("/")[0] for name in names}


def test_editable_wheel_copies_nothing(folder: Path) -> None:
    target = folder / "editable"
    target.mkdir()
    python(
        ROOT, "-c", f"from hatchling.build import build_editable; build_editable({str(target)!r})"
    )
    (built,) = target.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        names = [name for name in archive.namelist() if ".dist-info/" not in name]
        assert names == ["_busctl.pth"]
        assert archive.read("_busctl.pth").decode().split() == [str(ROOT)]


def test_both_scripts_run(installed: Installed) -> None:
    shown = installed.run("busctl", "--help")
    assert (shown.returncode, shown.stderr) == (0, b"")
    assert b"migrate" in shown.stdout
    version = installed.run("mbusctl", "--version")
    assert version.returncode == 0
    assert b"0.1.0" in version.stdout


def test_migrations_are_printed_from_the_wheel(installed: Installed) -> None:
    printed = installed.run("busctl", "migrate", "sql")
    assert printed.returncode == 0, printed.stderr.decode()
    text = printed.stdout.decode()
    ups = [path for path in (ROOT / "sql/migrations").glob("*.sql") if ".down." not in path.name]
    assert ups
    for path in ups:
        assert path.read_text().strip() in text, path.name


def test_round_trip_on_an_embedded_store(installed: Installed) -> None:
    payload = b"\x00\xff\r\n" + bytes(range(256)) * 8_000
    put = installed.run("busctl", "put", "-", stdin=payload)
    assert put.returncode == 0, put.stderr.decode()
    found = UUID7.search(put.stdout.decode())
    assert found is not None, put.stdout
    got = installed.run("busctl", "get", found.group())
    assert got.returncode == 0, got.stderr.decode()
    assert hashlib.sha256(got.stdout).digest() == hashlib.sha256(payload).digest()
    assert got.stdout == payload


def test_rules_come_with_the_wheel(installed: Installed, folder: Path) -> None:
    listed = installed.run("busctl", "audit", "rules")
    assert listed.returncode == 0, listed.stderr
    assert len(re.findall(rb"^[A-Z]{2}\d{3} ", listed.stdout, re.MULTILINE)) >= 50
    code = folder / "code"
    code.mkdir(exist_ok=True)
    lines = "def save(row):", "    try:", "        db.commit(row)", "    except Exception:"
    (code / "a.py").write_text("\n".join([*lines, "        pass", ""]))
    found = installed.run("busctl", "audit", str(code))
    assert found.returncode == 1, found.stderr
    assert b"a.py:4" in found.stdout
