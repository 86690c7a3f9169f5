"""The operator's id tags in the store, and what authorization reads of them."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
import pytest_twisted
from msgspec.structs import replace
from sqlalchemy import event, text
from twisted.internet.defer import Deferred

from csms.ledger.authorization import IdTag, TagFacts, TagSession
from csms.ledger.id_tag_csv import TooLarge
from csms.ledger.id_tags import BadTag
from csms.store import id_tags
from csms.store.errors import StoreUnavailable
from csms.store.tag_facts import tag_facts
from tests.store import decisions
from tests.store.decisions import NOW

FULL = IdTag(
    id_tag="Tag1",
    status="Blocked",
    expiry_date=NOW + timedelta(microseconds=1),
    parent_id_tag="Group",
    type="RFID",
    charge_points=("CP 1", 'a"b'),
    max_transactions=2,
    budget_kwh=Decimal("12.50"),
    budget_period="week",
)


def plain(name, **fields):
    return IdTag(id_tag=name, status="Accepted", **fields)


async def put(store, *tags):
    await store.write(lambda connection: id_tags.put(connection, *tags))


@pytest_twisted.ensureDeferred
async def test_a_tag_is_found_as_it_was_entered_whatever_its_case(store):
    await put(store, FULL)
    for name in ("Tag1", "TAG1", "tag1"):
        assert await store.read(id_tags.get, name) == FULL
    assert await store.read(id_tags.get, "Tag2") is None


@pytest_twisted.ensureDeferred
async def test_a_tag_that_is_entered_again_is_changed_with_its_spelling(store):
    await put(store, FULL)
    await put(store, plain("TAG1"))
    assert await store.read(id_tags.list, None, 10) == (plain("TAG1"),)


@pytest_twisted.ensureDeferred
async def test_a_tag_is_deleted_once(store):
    await put(store, plain("A"), plain("B"))
    assert await store.write(lambda connection: id_tags.delete(connection, "a"))
    assert not await store.write(lambda connection: id_tags.delete(connection, "a"))
    assert [tag.id_tag for tag in await store.read(id_tags.list, None, 10)] == ["B"]


@pytest_twisted.ensureDeferred
async def test_a_bad_tag_is_not_entered_nor_are_those_with_it(store):
    with pytest.raises(BadTag):
        await put(store, plain("A"), plain("B", max_transactions=0))
    assert await store.read(id_tags.list, None, 10) == ()


@pytest_twisted.ensureDeferred
async def test_pages_hold_each_tag_once(store):
    names = ["b", "A", "C", "#1", "é", "Z z", "d"]
    await put(store, *map(plain, names))
    found, page = [], await store.read(id_tags.list, None, 2)
    while page:
        assert len(page) <= 2
        found += [tag.id_tag for tag in page]
        page = await store.read(id_tags.list, found[-1], 2)
    assert sorted(found) == sorted(names)


@pytest_twisted.ensureDeferred
async def test_import_takes_the_good_lines_and_export_gives_them_back(store):
    count, bad = await id_tags.import_csv(store, "idTag,status\nA,\nB,no\na,Blocked\nC,Blocked\n")
    assert count == 2
    assert [(number, reason.split(":")[0]) for number, reason in bad] == [(3, "status"), (4, "idTag")]
    await put(store, FULL)
    exported = await store.read(id_tags.export_csv)
    for tag in ("A", "C", "tag1"):
        await store.write(lambda connection, tag=tag: id_tags.delete(connection, tag))
    assert await id_tags.import_csv(store, exported) == (3, [])
    assert await store.read(id_tags.list, None, 10) == (plain("A"), replace(plain("C"), status="Blocked"), FULL)


@pytest_twisted.ensureDeferred
async def test_a_large_import_is_many_commits_and_its_export_is_whole(store):
    lines = [f"T{number}" for number in range(2345)]
    before = store.commits
    assert await id_tags.import_csv(store, "\n".join(["idTag", *lines])) == (2345, [])
    assert store.commits - before == 5
    exported = await store.read(id_tags.export_csv)
    assert sorted(line.split(",")[0] for line in exported.splitlines()[1:]) == sorted(lines)
    with pytest.raises(TooLarge):
        await id_tags.import_csv(store, "\n" * 200_000)


@pytest_twisted.ensureDeferred
async def test_an_import_into_a_store_that_is_not_open_says_so(make_store):
    store = make_store()
    await store.open()
    store.close()
    with pytest.raises(StoreUnavailable):
        await id_tags.import_csv(FakeThreads(store), "idTag\nA")


class FakeThreads:
    """A store that was closed between parsing and writing."""

    def __init__(self, store):
        self.write = store.write

    async def read(self, query, *arguments):
        return query(None, *arguments)


# What the rule of authorization has to know.


async def ran(store, client_id, number, tag, *, until=None):
    """Have a transaction of 1999.5 Wh at a charge point, or one that runs and has read 499.75 Wh."""
    state = decisions.connected(client_id).state
    for decision in (decisions.connected(client_id), started := decisions.started(state, number, tag=tag)):
        await store.commit(decision)
    if until is None:
        await store.commit(decisions.metered(started.state, number))
        return
    stopped = decisions.stopped(started.state, number)
    ended = replace(stopped.changes[-1], stop_time=until)
    await store.commit(replace(stopped, changes=(ended,)))


@pytest_twisted.ensureDeferred
async def test_of_a_tag_without_limits_only_itself_and_its_parent_are_read(store):
    parent = plain("GROUP", max_transactions=1)
    await put(store, plain("A", parent_id_tag="group"), parent, plain("B", parent_id_tag="nobody"))
    await ran(store, "CP1", 1, "A")
    assert await store.read(tag_facts, "a", NOW, ["A"]) == TagFacts(
        tag=plain("A", parent_id_tag="group"), parent=parent
    )
    assert await store.read(tag_facts, "B", NOW) == TagFacts(tag=plain("B", parent_id_tag="nobody"))
    assert await store.read(tag_facts, "C", NOW) == TagFacts()


@pytest_twisted.ensureDeferred
async def test_a_parent_beyond_ascii_is_found_in_any_case(store):
    await put(
        store, plain("A", parent_id_tag="ÉCOLE"), plain("école"), plain("B", parent_id_tag="STRASSE"), plain("Straße")
    )
    assert (await store.read(tag_facts, "A", NOW)).parent == plain("école")
    assert (await store.read(tag_facts, "B", NOW)).parent == plain("Straße")


@pytest_twisted.ensureDeferred
async def test_of_a_tag_with_limits_its_transactions_are_read_wherever_they_are(store):
    day = NOW.replace(hour=0)
    await ran(store, "CP1", 1, "Tag1")
    await ran(store, "CP2", 2, "TAG1", until=NOW)
    await ran(store, "CP3", 3, "tag1", until=day)
    await ran(store, "CP4", 4, "tag1", until=day - timedelta(microseconds=1))
    await ran(store, "CP5", 5, "tag12")
    start = decisions.start_request().instant.at
    running = TagSession("CP1", 1, start, None, Decimal("499.75"))
    today = [
        TagSession("CP2", 2, start, NOW, Decimal("1999.5")),
        TagSession("CP3", 3, start, day, Decimal("1999.5")),
    ]
    limits = {"max_transactions": 1}
    await put(store, plain("Tag1", **limits))
    facts = await store.read(tag_facts, "tag1", NOW + timedelta(seconds=1))
    assert facts == TagFacts(tag=plain("Tag1", **limits), sessions=(running,))
    limits |= {"budget_kwh": Decimal(5), "budget_period": "day"}
    await put(store, plain("Tag1", **limits))
    facts = await store.read(tag_facts, "tag1", NOW)
    assert facts.tag == plain("Tag1", **limits)
    assert sorted(facts.sessions, key=lambda session: session.client_id) == [running, *today]


@pytest_twisted.ensureDeferred
async def test_a_tag_without_limits_is_remembered_until_it_is_changed_or_a_moment_has_passed(store):
    await put(store, plain("Tag1"))
    assert await store.tag_facts("tag1", NOW) == TagFacts(tag=plain("Tag1"))
    stays = timedelta(seconds=5) if store.is_shared else timedelta(minutes=10)
    assert store.tag_facts("TAG1", NOW + stays) == TagFacts(tag=plain("Tag1"))
    assert isinstance(store.tag_facts("TAG1", NOW + stays + timedelta(seconds=1)), Deferred)
    await put(store, replace(plain("Tag1"), status="Blocked"))
    assert (await store.tag_facts("TAG1", NOW)).tag.status == "Blocked"
    await store.write(lambda connection: id_tags.delete(connection, "tag1"))
    assert await store.tag_facts("TAG1", NOW) == TagFacts()
    assert store.tag_facts("TAG1", NOW) == TagFacts()
    await put(store, plain("Tag1", max_transactions=1))
    for _ in range(2):
        facts = store.tag_facts("TAG1", NOW)
        assert isinstance(facts, Deferred), "what a tag with limits may do changes with each session"
        assert (await facts).tag.max_transactions == 1


@pytest_twisted.ensureDeferred
async def test_what_was_read_before_a_change_is_not_believed_after_it(store):
    reading = store.tag_facts("TAG1", NOW)
    await put(store, replace(plain("Tag1"), status="Blocked"))
    await reading
    assert (await store.tag_facts("TAG1", NOW)).tag.status == "Blocked"


@pytest_twisted.ensureDeferred
async def test_of_a_tag_with_limits_the_groups_of_what_runs_beside_it_are_read(store):
    await put(store, plain("A", charge_points=("CP9",)), plain("B", parent_id_tag="GROUP"), plain("C"))
    facts = await store.read(tag_facts, "A", NOW, ["b", "C", "D"])
    assert facts.running_here == (("b", "GROUP"), ("C", None), ("D", None))
    assert facts.sessions == ()


@pytest_twisted.ensureDeferred
async def test_how_many_selects_it_takes(store):
    """One for a tag without limits, with its parent or without: the ordinary start must stay cheap."""
    await put(
        store,
        plain("plain", parent_id_tag="GROUP"),
        plain("GROUP"),
        plain("limited", charge_points=("CP1",), max_transactions=1, budget_kwh=Decimal(1), budget_period="day"),
    )

    def counted(connection, *arguments):
        selects = []
        event.listen(connection, "before_cursor_execute", lambda *details: selects.append(details[2]))
        tag_facts(connection, *arguments)
        return len(selects)

    assert await store.read(counted, "plain", NOW, ["plain"]) == 1
    assert await store.read(counted, "unknown", NOW, ["plain"]) == 1
    assert await store.read(counted, "limited", NOW) == 2
    assert await store.read(counted, "limited", NOW, ["plain"]) == 3


@pytest_twisted.ensureDeferred
async def test_the_transactions_of_a_tag_are_found_by_an_index(store):
    if store.write_engine.dialect.name == "postgresql":
        pytest.skip("a table of a few rows is scanned")

    def plan(connection):
        statement = "EXPLAIN QUERY PLAN SELECT * FROM transactions WHERE lower(substr(id_tag, 1, 64)) = 'a' AND (stop_time IS NULL OR stop_time >= 'b')"
        return [row[-1] for row in connection.execute(text(statement))]

    assert any("transactions_of_id_tag" in line for line in await store.read(plan))


@pytest_twisted.ensureDeferred
async def test_a_tag_of_any_length_is_stored_with_its_transaction(store):
    """An index on PostgreSQL takes only so much; what does not fit must not be what fails."""
    await ran(store, "CP1", 1, "".join(chr(0x4E00 + number) for number in range(9000)))
    await put(store, plain("x" * 255, max_transactions=1))
    await ran(store, "CP2", 2, "X" * 255)
    facts = await store.read(tag_facts, "x" * 255, NOW)
    assert [session.transaction_id for session in facts.sessions] == [2]
