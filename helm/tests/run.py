#!/usr/bin/env python3
"""Tests the chart: renders it with many values, and looks at what comes out.

HELM_GOLDEN=write writes golden/ and ../VALUES.md anew. YAGURA_BIN names a binary other than
target/debug/yagura, by which configurations are checked.
"""

import concurrent.futures
import difflib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TOOLS = ROOT / "target/tools"
sys.path.insert(0, str(TOOLS / "helm-python"))

try:
    import yaml

    import hook
    import network
    import objects
    import roll_out
    import schemas
    import values_page
except ModuleNotFoundError as missing:
    sys.exit(f"{missing}: `scripts/tools.sh helm` brings it")

CHART = HERE.parent / "yagura"
NAMESPACE = "watch"
WRITE = os.environ.get("HELM_GOLDEN") == "write"
# What the chart promises, oldest first.
KUBERNETES = ("1.30", "1.37")


class Failures:
    def __init__(self):
        self.found = []

    def add(self, where, what):
        self.found.append(f"{where}: {what}")


def helm():
    own = TOOLS / "helm"
    found = str(own) if own.exists() else shutil.which("helm")
    return found or sys.exit("there is no helm: `scripts/tools.sh helm` brings it (it needs Go)")


HELM = helm()


def call(*args):
    done = subprocess.run([HELM, *args], capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


def render(chart, values, release):
    version = f"{KUBERNETES[-1]}.0"
    return call("template", release, str(chart), "--namespace", NAMESPACE, "--kube-version", version, "--values", str(values))


def with_notes(folder):
    """A copy of the chart that renders its notes too, as an object, and that has dashboards and alerts of the tests."""
    chart = folder / "yagura"
    shutil.copytree(CHART, chart, symlinks=True)
    mixin = chart / "mixin"
    mixin.unlink() if mixin.is_symlink() else shutil.rmtree(mixin)
    shutil.copytree(HERE / "mixin", mixin)
    notes = (CHART / "templates/NOTES.txt").read_text()
    text = '{{- define "notes" -}}' + notes + '{{- end -}}\nkind: Notes\nnotes: {{ include "notes" . | toJson }}\n'
    (chart / "templates/notes.yaml").write_text(text)
    return chart


def value_files():
    return sorted((HERE / "values").glob("*.yaml")) + sorted((HERE.parent / "examples").glob("*.yaml"))


def release_of(path):
    named = re.search(r"^# release: (\S+)$", path.read_text(), re.M)
    return named.group(1) if named else "y"


def check_set(chart, path, failures):
    name, release = path.stem, release_of(path)
    fail = lambda what: failures.add(name, what)
    code, out, err = call("lint", "--strict", "--kube-version", f"{KUBERNETES[0]}.0", str(chart), "--values", str(path))
    # `lint` takes our object of notes for a mistake and would have every chart have an icon.
    lines = [line for line in (out + err).splitlines() if re.match(r"\[(ERROR|WARNING)\]", line)]
    for line in lines:
        if "templates/notes.yaml" not in line:
            fail(f"helm lint: {line}")
    code, out, err = render(chart, path, release)
    if code != 0:
        return fail(err)
    documents = [d for d in yaml.load_all(out, Loader=yaml.CSafeLoader) if d]
    notes = next(d["notes"] for d in documents if d["kind"] == "Notes")
    documents = [d for d in documents if d["kind"] != "Notes"]
    compare(HERE / "golden" / f"{name}.txt", golden(out, notes), fail)
    for version in KUBERNETES:
        for problem in schemas.problems(documents, version):
            fail(f"Kubernetes {version}: {problem}")
    values = yaml.safe_load(path.read_text()) or {}
    for problem in objects.problems(documents, values, NAMESPACE):
        fail(problem)
    for problem in network.problems(documents, values, NAMESPACE):
        fail(problem)
    binary = yagura()
    if binary:
        for problem in objects.configuration_problems(documents, binary):
            fail(problem)
        if path.stem == "single":
            for problem in hook.problems(documents, binary):
                fail(problem)


def golden(out, notes):
    parts = [part.strip("\n") for part in re.split(r"^---$", out, flags=re.M) if part.strip()]
    parts = [part for part in parts if "templates/notes.yaml" not in part.splitlines()[0]]
    return "\n---\n".join(parts) + "\n---\n# Notes\n" + notes.strip("\n") + "\n"


def compare(path, text, fail):
    if WRITE:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return
    was = path.read_text() if path.exists() else ""
    if was != text:
        diff = difflib.unified_diff(was.splitlines(), text.splitlines(), str(path.name), "now", lineterm="", n=2)
        shown = "\n".join(list(diff)[:60])
        fail(f"is not what {path.relative_to(ROOT)} says; if it should be, `make helm-golden` writes it anew\n{shown}")


def yagura():
    named = os.environ.get("YAGURA_BIN")
    binary = Path(named) if named else ROOT / "target/debug/yagura"
    if named and not binary.exists():
        sys.exit(f"YAGURA_BIN: there is no {binary}")
    return str(binary) if binary.exists() else None


def merge(base, over):
    for key, value in over.items():
        base[key] = merge(base.get(key, {}), value) if isinstance(value, dict) and isinstance(base.get(key, {}), dict) else value
    return base


def check_refused(case, at, folder, failures):
    base = HERE / "values" / f"{case['base']}.yaml" if "base" in case else None
    values = merge(yaml.safe_load(base.read_text()) if base else {}, case["values"])
    path = folder / f"refused-{at}.yaml"
    path.write_text(json.dumps(values))
    code, _, err = render(CHART, path, "y")
    name = f"refused {json.dumps(case['values'])}"
    if code == 0:
        failures.add(name, f"was taken; {case['says']!r} is wanted")
    elif case["says"] not in err:
        failures.add(name, f"{case['says']!r} is wanted, was: {err.strip()}")


def check_mixin(failures):
    """What the project's own dashboards and alerts become."""
    mixin = ROOT / "deploy/mixin"
    if not mixin.exists():
        return
    link = CHART / "mixin"
    if not link.is_symlink() or link.resolve() != mixin.resolve():
        failures.add("mixin", "helm/yagura/mixin must be a link to ../../deploy/mixin, so that the chart has what is there")
        return
    code, out, err = render(CHART, HERE / "values/monitored.yaml", "y")
    if code != 0:
        return failures.add("mixin", err)
    documents = [d for d in yaml.load_all(out, Loader=yaml.CSafeLoader) if d]
    dashboards = [d for d in documents if d["kind"] == "ConfigMap" and "-dashboard-" in d["metadata"]["name"]]
    names = [d["metadata"]["name"] for d in dashboards]
    if len(dashboards) != len(list(mixin.rglob("*.json"))) or len(set(names)) != len(names):
        failures.add("mixin", f"not each dashboard is a ConfigMap with a name of its own: {names}")
    for dashboard in dashboards:
        text = next(iter(dashboard["data"].values()))
        if not json.loads(text).get("title") or len(text) > 1_000_000:
            failures.add("mixin", f"{dashboard['metadata']['name']} is no dashboard, or too large for a ConfigMap")
    for problem in schemas.problems(documents, KUBERNETES[-1]):
        failures.add("mixin", problem)


def main():
    failures = Failures()
    compare(HERE.parent / "VALUES.md", values_page.page(CHART), lambda what: failures.add("VALUES.md", what))
    for problem in values_page.problems(CHART):
        failures.add("values", problem)
    refused = yaml.safe_load((HERE / "refused.yaml").read_text())
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(2) as pool:
        folder = Path(folder)
        chart = with_notes(folder)
        jobs = [pool.submit(check_set, chart, path, failures) for path in value_files()]
        rolled_out = pool.submit(roll_out.problems)
        jobs += [pool.submit(check_refused, case, at, folder, failures) for at, case in enumerate(refused)]
        for job in jobs:
            job.result()
        for problem in rolled_out.result():
            failures.add("roll-out.sh", problem)
    stale = {path.stem for path in (HERE / "golden").glob("*.txt")} - {path.stem for path in value_files()}
    for name in stale:
        failures.add(f"golden/{name}.txt", "is of no set of values: remove it")
    check_mixin(failures)
    for problem in network.own_tests():
        failures.add("network.py", problem)
    if failures.found:
        sys.exit("\n".join(failures.found) + f"\n\n{len(failures.found)} problems with the chart")
    checked = "checked" if yagura() else "NOT checked, for there is no target/debug/yagura"
    print(f"the chart is good: {len(value_files())} sets of values rendered, {len(refused)} refused; configurations and helm test were {checked}")


if __name__ == "__main__":
    main()
