"""What `pip install .` gives: the daemon's plugin, the command, the migrations, from whatever folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from csms.store.schema import HEAD

CHECKOUT = Path(__file__).parents[2]
SOURCES = ("csms", "twisted", "setup.cfg", "pyproject.toml", "README.md", "LICENSE")


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    # Built from a copy: what a build leaves behind belongs to nobody's checkout.
    for name in SOURCES:
        source = CHECKOUT / name
        if source.is_dir():
            shutil.copytree(source, folder / "source" / name, ignore=shutil.ignore_patterns("__pycache__", "*.cache"))
        else:
            (folder / "source").mkdir(exist_ok=True)
            shutil.copy(source, folder / "source")
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--disable-pip-version-check")
    run(sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", str(folder), str(folder / "source"))
    return next(folder.glob("csms-*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """A folder with the wheel in it, and an environment that knows it and not the checkout."""
    folder = tmp_path_factory.mktemp("installed")
    options = ("--no-deps", "--no-index", "--quiet", "--disable-pip-version-check")
    run(sys.executable, "-m", "pip", "install", *options, "--target", str(folder), str(wheel))
    return folder, {**os.environ, "PYTHONPATH": str(folder)}


def test_the_wheel_holds_everything(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    for name in (
        "twisted/plugins/csms_plugin.py",
        "csms/store/migrations/env.py",
        "csms/store/migrations/script.py.mako",
        "csms/store/migrations/versions/0001_ledger.py",
    ):
        assert name in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    # A __init__.py there would hide Twisted's own plugins.
    assert "twisted/plugins/__init__.py" not in names
    assert "twisted/__init__.py" not in names
    assert not any(name.startswith(("tests/", "benchmarks/")) for name in names)


def test_twistd_knows_it_in_another_folder(installed, tmp_path):
    folder, environment = installed
    twistd = Path(sysconfig.get_path("scripts"), "twistd")
    assert " csms " in run(str(twistd), "--help", cwd=tmp_path, env=environment)
    where = run(sys.executable, "-c", "import csms; print(csms.__file__)", cwd=tmp_path, env=environment)
    assert where.startswith(str(folder))


def test_the_command_is_there(installed, tmp_path):
    folder, environment = installed
    assert run(str(folder / "bin" / "csms"), "--version", cwd=tmp_path, env=environment).startswith("csms 0.")


def test_the_migrations_run(installed, tmp_path):
    folder, environment = installed
    assert f"schema: none -> {HEAD}" in run(
        str(folder / "bin" / "csms"), "db", "upgrade", cwd=tmp_path, env=environment
    )
    assert (tmp_path / "csms.db").exists()
