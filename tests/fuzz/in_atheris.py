"""One target in atheris, in a process that ends with it: ``python -m tests.fuzz.in_atheris TARGET SECONDS SEED``."""

from __future__ import annotations

import sys
import tempfile

import atheris

with atheris.instrument_imports(include=["csms"], enable_loader_override=False):
    from tests.fuzz.corpus import FOLDER
    from tests.fuzz.targets import TARGETS

_LONGEST_INPUT = 20_000


def main(name: str, seconds: str, seed: str) -> None:
    """Fuzz. What is gathered by coverage goes into the first folder, which is not kept; what fails goes to the corpus."""
    arguments = [f"-max_total_time={seconds}", f"-seed={seed}", f"-max_len={_LONGEST_INPUT}", "-timeout=20"]
    arguments += [f"-artifact_prefix={FOLDER / name}/found-", "-verbosity=0", "-print_final_stats=1"]
    with tempfile.TemporaryDirectory(prefix="csms-fuzz-") as gathered:
        atheris.Setup([sys.argv[0], *arguments, gathered, str(FOLDER / name)], TARGETS[name])
        atheris.Fuzz()


main(*sys.argv[1:4])
