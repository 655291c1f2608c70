"""roll-out.sh against a kubectl that knows three zones of two ingesters, and is slow to have them ready."""

import concurrent.futures
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
SCRIPT = HERE.parent / "roll-out.sh"


def problems():
    found = []
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(lambda case: _run({**START, **case[1]}, seconds=60 if case[2] == 0 else 5), CASES))
    for (what, _, wanted, says, deleted), (code, out, after) in zip(CASES, runs, strict=True):
        if code != wanted or says not in out:
            found.append(f"{what}: ended with {code} and said {out!r}; {wanted} and {says!r} are wanted")
        if after["deleted"] != deleted:
            found.append(f"{what}: deleted {after['deleted']}, {deleted} is wanted")
        if after["together"]:
            found.append(f"{what}: took down {after['together']} while others were away")
    return found


START = {"old": ["a-0", "a-1", "b-0", "b-1", "c-0", "c-1"], "away": {}, "dead": [], "deleted": [], "together": [], "unseen": 0}
ALL = [["a-0", "a-1"], ["b-0", "b-1"], ["c-0", "c-1"]]
CASES = [
    ("all are old", {}, 0, "all ingesters of y are as they should be", ALL),
    ("some are new already", {"old": ["b-1", "c-0"]}, 0, "y-ingester-a: nothing to replace", [["b-1"], ["c-0"]]),
    ("none is old", {"old": []}, 0, "y-ingester-c: nothing to replace", []),
    ("one is away for a while before", {"away": {"c-1": 5}}, 0, "as they should be", ALL),
    ("a change was not looked at yet", {"unseen": 3}, 0, "as they should be", ALL),
    ("one does not come back", {"dead": ["b-0"]}, 1, "y-ingester-b has 1 of 2 ingesters ready", ALL[:2]),
    ("one is away for good", {"away": {"c-1": 10**9}}, 1, "y-ingester-c has 1 of 2 ingesters ready", []),
    ("another release", {"none": True}, 1, "has no zones of ingesters here", []),
]


def _run(state, seconds):
    with tempfile.TemporaryDirectory() as folder:
        kubectl, file = Path(folder) / "kubectl", Path(folder) / "state.json"
        file.write_text(json.dumps(state))
        kubectl.write_text(f'#!/bin/sh\nexec "{sys.executable}" -IS "{HERE}/fake_kubectl.py" "$@"\n')
        kubectl.chmod(0o755)
        environment = {**os.environ, "KUBECTL": str(kubectl), "STATE": str(file), "POLL_SECONDS": "0.01"}
        done = subprocess.run(
            [str(SCRIPT), "--namespace", "watch", "--timeout", str(seconds), "y"], env=environment, capture_output=True, text=True, timeout=100, check=False
        )
        return done.returncode, done.stdout + done.stderr, json.loads(file.read_text())
