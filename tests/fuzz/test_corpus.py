"""Everything that is in the corpus, and some variations of it by a fixed seed, go through their target."""

import pytest

from tests.fuzz.corpus import entries
from tests.fuzz.mutation import mutated
from tests.fuzz.targets import TARGETS

VARIATIONS = {"codec": 2000, "frames": 1000, "handshake": 2000, "session": 150, "websocket": 150}


@pytest.mark.parametrize("path", [path for target in TARGETS for path in entries(target)], ids=lambda path: path.name)
def test_entry(path):
    TARGETS[path.parent.name](path.read_bytes())


@pytest.mark.parametrize("target", TARGETS)
def test_variations(target):
    corpus = [path.read_bytes() for path in entries(target)]
    for data in mutated(corpus, seed=1, count=VARIATIONS[target]):
        try:
            TARGETS[target](data)
        except Exception as error:
            raise AssertionError(f"{target}: {data!r}") from error


def test_variations_are_the_same_again():
    first, again = (list(mutated([b"[2,", b"abc"], seed=7, count=50)) for _ in range(2))
    assert first == again
    assert len(set(first)) > 25
