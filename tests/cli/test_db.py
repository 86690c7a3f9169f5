"""``csms db``: the ledger's schema, and copies of it while it is written."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import threading
from contextlib import closing

import pytest

from csms.cli.backup import BackupFailed, back_up_sqlite
from csms.store.schema import HEAD
from tests.programs import find

from .command import csms

INSERT = "INSERT INTO id_tags (folded, id_tag, status) VALUES (?, ?, 'Accepted')"


@pytest.fixture
def ledger(tmp_path):
    out, err, status = csms("db", "upgrade", cwd=tmp_path)
    assert (out, err, status) == (f"schema: none -> {HEAD}\n", [], 0)
    return tmp_path / "csms.db"


class Writer(threading.Thread):
    """Commits tags, two at a time, as fast as it can."""

    def __init__(self, path):
        super().__init__()
        self._path = path
        self.committed = 0
        self.some = threading.Event()
        self.enough = threading.Event()

    def run(self):
        with closing(sqlite3.connect(self._path, isolation_level=None, timeout=10)) as connection:
            connection.execute("PRAGMA synchronous=OFF")
            while not self.enough.is_set():
                connection.execute("BEGIN IMMEDIATE")
                for half in "ab":
                    tag = f"{self.committed}{half}"
                    connection.execute(INSERT, (tag, tag * 500))
                connection.execute("COMMIT")
                self.committed += 1
                if self.committed == 200:
                    self.some.set()

    def __enter__(self):
        self.start()
        assert self.some.wait(20)
        return self

    def __exit__(self, *_):
        self.enough.set()
        self.join()


def tags(path):
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return connection.execute("SELECT count(*) FROM id_tags").fetchone()[0]


def test_a_copy_while_a_writer_writes(ledger):
    copy = ledger.with_name("copy.db")
    with Writer(ledger) as writer:
        before = writer.committed
        out, err, status = csms("db", "backup", copy, cwd=ledger.parent)
        after = writer.committed
    assert (err, status) == ([], 0)
    assert out.startswith(f"{copy}: ")
    assert after > before
    # One moment: everything that was committed when it began, and no half of a commit.
    count = tags(copy)
    assert count % 2 == 0
    assert before <= count // 2 <= after
    assert copy.stat().st_mode & 0o777 == 0o600
    assert not list(ledger.parent.glob(".copy*"))


def test_the_moment_of_the_copy_is_its_beginning(ledger):
    """Every commit of the daemon during a copy would otherwise start it anew."""
    copy = ledger.with_name("copy.db")
    with Writer(ledger), closing(sqlite3.connect(ledger, isolation_level=None)) as other:
        shown = []

        def write_on(done, total):
            shown.append((done, total))
            if len(shown) == 1:
                other.execute("PRAGMA busy_timeout=10000")
                other.execute(INSERT, ("late", "late"))

        back_up_sqlite(ledger, copy, write_on)
    assert shown[-1][0] == shown[-1][1]
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT count(*) FROM id_tags WHERE id_tag = 'late'").fetchone() == (0,)


def test_nothing_is_overwritten(ledger):
    copy = ledger.with_name("copy.db")
    copy.write_text("mine")
    _, err, status = csms("db", "backup", "copy.db", cwd=ledger.parent)
    assert (err, status) == (["csms: copy.db exists: it is not overwritten"], 1)
    assert copy.read_text() == "mine"


def test_a_name_taken_meanwhile_is_not_overwritten(ledger):
    copy = ledger.with_name("copy.db")
    with pytest.raises(BackupFailed, match="exists"):
        back_up_sqlite(ledger, copy, lambda *_: copy.write_text("mine"))
    assert copy.read_text() == "mine"
    assert not list(ledger.parent.glob(".copy*"))


def test_faults_are_one_line(ledger):
    folder = ledger.parent
    for arguments, words in (
        (("copy.db", "--config", "missing.toml"), "missing.toml cannot be read"),
        (("nowhere/copy.db",), "nowhere/copy.db cannot be written: No such file"),
        ((".",), "exists"),
    ):
        _, err, status = csms("db", "backup", *arguments, cwd=folder)
        assert (len(err), status) == (1, 1)
        assert words in err[0]
    _, err, status = csms("db", "backup", "copy.db", cwd=folder, CSMS_DATABASE_URL="sqlite:///other.db")
    assert (status, err) == (1, [f"csms: there is no ledger at {folder}/other.db"])
    assert not (folder / "other.db").exists()
    ledger.write_bytes(b"no database" * 1000)
    _, err, status = csms("db", "backup", "copy.db", cwd=folder)
    assert (len(err), status) == (1, 1)
    assert not list(folder.glob("*copy*"))


def test_no_upgrade_under_a_running_daemon(ledger):
    import fcntl

    with ledger.with_name("csms.db.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _, err, status = csms("db", "upgrade", cwd=ledger.parent)
    assert (status, err) == (1, ["csms: a daemon uses this ledger: stop it first"])
    assert csms("db", "upgrade", cwd=ledger.parent)[0] == f"the schema is up to date ({HEAD})\n"


def test_a_postgresql_ledger(postgresql_database, tmp_path):
    copy = tmp_path / "ledger.dump"
    assert csms("db", "upgrade", cwd=tmp_path, CSMS_DATABASE_URL=postgresql_database)[2] == 0
    out, err, status = csms("db", "backup", copy, cwd=tmp_path, CSMS_DATABASE_URL=postgresql_database)
    assert (err, status) == ([], 0)
    assert out.startswith(f"{copy}: ")
    restore = find("pg_restore", "postgresql-client", beside="/usr/lib/postgresql/*/bin")
    listed = subprocess.run([restore, "--list", copy], capture_output=True, text=True, check=True).stdout
    assert "TABLE DATA public transactions" in listed


def test_a_postgresql_that_is_away_is_one_line(tmp_path):
    find("pg_dump", "postgresql-client", beside="/usr/lib/postgresql/*/bin")
    url = "postgresql://csms:secret@127.0.0.1:1/csms"
    for arguments in (("upgrade",), ("backup", "copy")):
        _, err, status = csms("db", *arguments, cwd=tmp_path, CSMS_DATABASE_URL=url)
        assert (len(err), status) == (1, 1)
        assert "secret" not in err[0]
    assert not list(tmp_path.glob("*copy*"))


def test_pg_dump_is_not_told_the_password_for_all_to_see(tmp_path, monkeypatch):
    """The command line of a process is public."""
    program = tmp_path / "pg_dump"
    program.write_text(
        '#!/bin/sh\nfor word; do case "$word" in --file=*) echo "$@ ${PGPASSWORD}" > "${word#--file=}";; esac; done\n'
    )
    program.chmod(0o755)
    out, err, status = csms(
        "db",
        "backup",
        "copy",
        cwd=tmp_path,
        PATH=f"{tmp_path}:{shutil.os.environ['PATH']}",
        CSMS_DATABASE_URL="postgresql://csms:p%40ss@db.example:5433/csms?sslmode=require",
    )
    assert (err, status) == ([], 0), out
    *arguments, password = (tmp_path / "copy").read_text().split()
    assert password == "p@ss"
    assert "--dbname=postgresql://csms@db.example:5433/csms?sslmode=require" in arguments
    assert not any("p@ss" in word or "p%40ss" in word for word in arguments)
