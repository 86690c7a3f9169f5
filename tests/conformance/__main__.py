"""Run the fuzzing client of the Autobahn test suite against the endpoint: every case has to be OK or non-strict.

The suite is of Python 2: `WSTEST` names its program (``WSTEST="python2 /path/to/wstest"``); without it ``wstest`` is looked for, then
Docker with the image crossbario/autobahn-testsuite. Where there is none nothing is run, and that is said.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

IMAGE = "crossbario/autobahn-testsuite"
GOOD = {"OK", "NON-STRICT", "INFORMATIONAL"}
AGENT = "csms"
_ROOT = Path(__file__).parents[2]


def main() -> int:
    """Run the cases; return 1 where one was bad."""
    parser = argparse.ArgumentParser(prog="make conformance", description=__doc__)
    parser.add_argument("cases", nargs="*", default=["*"], help="as 6.* and 12.1.1; all without")
    cases = parser.parse_args().cases
    folder = Path(tempfile.mkdtemp(prefix="conformance"))
    program = _program(folder)
    if program is None:
        folder.rmdir()
        print("NOT DONE: there is neither wstest (name it by WSTEST) nor a Docker that has or gets", IMAGE)
        return 0
    command = [sys.executable, "-m", "tests.conformance.server"]
    with subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True) as server:
        try:
            port = int(server.stdout.readline())
            specification = {
                "outdir": str(folder),
                "servers": [{"agent": AGENT, "url": f"ws://127.0.0.1:{port}/ocpp/{AGENT}"}],
                "cases": cases,
                "exclude-cases": [],
                "exclude-agent-cases": {},
            }
            (folder / "specification.json").write_text(json.dumps(specification))
            subprocess.run(
                [*program, "--mode", "fuzzingclient", "--spec", str(folder / "specification.json")],
                stdout=subprocess.DEVNULL,
                check=True,
            )
        finally:
            server.kill()
    return _tell(json.loads((folder / "index.json").read_text())[AGENT], folder)


def _program(folder: Path) -> list[str] | None:
    named = os.environ.get("WSTEST") or shutil.which("wstest")
    if named:
        return shlex.split(named)
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "info"], capture_output=True, check=False).returncode:
        return None
    if subprocess.run([docker, "pull", IMAGE], capture_output=True, check=False).returncode:
        return None
    return [docker, "run", "--rm", "--network=host", f"--volume={folder}:{folder}", IMAGE, "wstest"]


def _tell(results: dict[str, dict[str, object]], folder: Path) -> int:
    bad = {}
    for case, result in results.items():
        verdicts = {result["behavior"], result["behaviorClose"]}
        if not verdicts <= GOOD:
            bad[case] = verdicts
    counts = Counter(str(result["behavior"]) for result in results.values())
    print(f"{len(results)} cases: {', '.join(f'{count} {name}' for name, count in counts.most_common())}")
    for case, verdicts in bad.items():
        print(f"case {case}: {', '.join(map(str, verdicts))}; see {folder}")
    if not bad:
        shutil.rmtree(folder)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
