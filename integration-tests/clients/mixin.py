"""Checks deploy/mixin of the sources in argv[1], with the program in argv[2]: dashboards are what Grafana reads, and
alerts have tests and runbooks."""

import enum
import json
import re
import subprocess
import sys
import typing
from pathlib import Path

import strict
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as schema

root, program = Path(sys.argv[1]).resolve(), sys.argv[2]
mixin = root / "deploy/mixin"
wrong = []
plugins.register_default_plugins()


def check(holds, what):
    if not holds:
        wrong.append(what)


def runs(what, *command):
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    check(run.returncode == 0, f"{what}: {run.stdout}{run.stderr}")


def lost(written, read, path="dashboard"):
    """What Grafana's own model of dashboards does not know, or understands otherwise."""
    if isinstance(written, dict) and isinstance(read, dict):
        for key, value in written.items():
            if key in read:
                yield from lost(value, read[key], f"{path}.{key}")
            else:
                yield f"{path}.{key} is unknown"
    elif isinstance(written, list) and isinstance(read, list) and len(written) == len(read):
        for at, (one, other) in enumerate(zip(written, read)):
            yield from lost(one, other, f"{path}[{at}]")
    elif written != read or type(written) is not type(read):
        yield f"{path} is {written!r} and is read as {read!r}"


def mistyped(value, hint=typing.Any, path="dashboard"):
    """Where a value is of another type than Grafana's own model says."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if type(value).__module__.startswith("grafana_foundation_sdk") and not isinstance(value, enum.Enum):
        for name, of_field in typing.get_type_hints(type(value)).items():
            yield from mistyped(getattr(value, name), of_field, f"{path}.{name}")
    elif origin is typing.Union:
        found = [list(mistyped(value, arg, path)) for arg in args]
        if all(found):
            # The one that was understood for longest says most.
            yield from max(found, key=lambda problems: len(problems[0].partition(" is ")[0]))
    elif origin is list:
        if not isinstance(value, list):
            yield f"{path} is {value!r}, and no list"
        else:
            for at, one in enumerate(value):
                yield from mistyped(one, args[0], f"{path}[{at}]")
    elif origin is typing.Literal:
        if value not in args:
            yield f"{path} is {value!r}, and none of {args}"
    elif isinstance(hint, type) and issubclass(hint, enum.Enum):
        if value not in {member.value for member in hint}:
            yield f"{path} is {value!r}, and no {hint.__name__}"
    elif hint is float:
        if type(value) not in (int, float):
            yield f"{path} is {value!r}, and no number"
    elif hint in (bool, int, str, type(None)) and type(value) is not hint:
        yield f"{path} is {value!r}, and no {hint.__name__}"


def cells(panel):
    place = panel["gridPos"]
    return {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}


# Those of Grafana itself, which need not be defined.
BUILT_IN = {"__rate_interval", "__interval", "__range", "__all", "__auto"}


def check_dashboard(path, uids, titles):
    dashboard = json.loads(path.read_text())
    fail = lambda holds, what: check(holds, f"{path.name}: {what}")
    try:
        model = schema.Dashboard.from_json(dashboard)
        read = json.loads(JSONEncoder(sort_keys=True).encode(model))
    except Exception as error:  # Whatever it is, Grafana would not like it either.
        return fail(False, f"cannot be read: {error!r}")
    for what in [*lost(dashboard, read), *mistyped(model)]:
        fail(False, what)
    uid, title = dashboard["uid"], dashboard["title"]
    fail(uid == f"yagura-{path.stem}" and len(uid) <= 40, f"its uid is {uid}")
    fail(title.startswith("Yagura / "), f"its title is {title}")
    fail(uid not in uids and title not in titles, "another one has its uid or title")
    uids.add(uid)
    titles.add(title)
    fail(dashboard["schemaVersion"] >= 36, "its schema is old")
    fail("yagura" in dashboard["tags"], "has no tag yagura")
    fail(any(link["type"] == "dashboards" and link["tags"] == ["yagura"] for link in dashboard["links"]), "has no links to the others")
    variables = {variable["name"] for variable in dashboard["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", path.read_text()))
    fail(used <= variables | BUILT_IN, f"uses {used - variables - BUILT_IN}, which are not defined")
    fail(variables <= used, f"does not use {variables - used}")
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            fail(variable["datasource"]["uid"] == "${datasource}", f"{variable['name']} asks a fixed data source")
    ids, taken, kinds = set(), set(), set()
    for panel in dashboard["panels"]:
        name = f"panel {panel['title']}"
        fail(panel["id"] > 0 and panel["id"] not in ids, f"{name} has no id of its own")
        ids.add(panel["id"])
        place = cells(panel)
        fail(place and all(0 <= x < 24 and y >= 0 for x, y in place), f"{name} is out of the grid")
        fail(not place & taken, f"{name} overlaps with another one")
        taken |= place
        if panel["type"] == "row":
            continue
        fail(len(panel.get("description", "")) > 10, f"{name} does not say what it means")
        fail(panel["type"] == "logs" or panel["fieldConfig"]["defaults"].get("unit"), f"{name} has no unit")
        fail(panel["targets"], f"{name} asks nothing")
        refs = [target["refId"] for target in panel["targets"]]
        fail(len(set(refs)) == len(refs) and all(refs), f"{name} has the refIds {refs}")
        for source in [panel["datasource"], *(target["datasource"] for target in panel["targets"])]:
            good = source in ({"type": "prometheus", "uid": "${datasource}"}, {"type": "loki", "uid": "${loki}"})
            fail(good, f"{name} asks {source}")
            kinds.add(source["type"])
        for target in panel["targets"]:
            fail('job=~"$job"' in target["expr"] and 'instance=~"$instance"' in target["expr"], f"{name} is not about what is chosen")
    fail(kinds == {"prometheus", "loki"}, f"asks only {kinds}")


def check_alerts():
    rules, severities = {}, {}
    for path in sorted((mixin / "alerts").glob("*.yaml")):
        for group in strict.load(path.read_text())["groups"]:
            for rule in group["rules"]:
                rules[rule["alert"]] = rule
                severities.setdefault(rule["labels"]["severity"], []).append(rule["alert"])
    check(len(rules) > 30, f"only {len(rules)} alerts are found")
    check(set(severities) == {"critical", "warning"}, f"severities are {set(severities)}")
    sections = re.split(r"^### ", (mixin / "runbooks.md").read_text(), flags=re.M)[1:]
    runbooks = {section.partition("\n")[0]: section.partition("\n")[2] for section in sections}
    check(set(runbooks) == set(rules), f"alerts and runbooks differ: {set(runbooks) ^ set(rules)}")
    tests = [test for path in (mixin / "tests").glob("*.yaml") for test in strict.load(path.read_text())["tests"]]
    expected = [(case["alertname"], bool(case["exp_alerts"])) for test in tests for case in test["alert_rule_test"]]
    for name, rule in rules.items():
        annotations, where = rule["annotations"], f"alert {name}"
        check(annotations["summary"] and "{{" in annotations["description"], f"{where} does not say what is wrong")
        check(annotations["runbook_url"].endswith(f"/deploy/mixin/runbooks.md#{name.lower()}"), f"{where} leads elsewhere")
        says = runbooks.get(name, "").lstrip().startswith(f"*{rule['labels']['severity']}.*")
        check(says, f"the runbook of {name} does not begin with its severity")
        for part in ("**At stake:**", "**Look:**", "**Do:**"):
            check(part in runbooks.get(name, ""), f"the runbook of {name} lacks {part}")
        check((name, True) in expected, f"no test has {name} fire")
        check((name, False) in expected or "for" not in rule, f"no test has {name} wait")


def check_words_of_runbooks():
    """Settings that are named are there, and so are messages and dashboards."""
    text = (mixin / "runbooks.md").read_text()
    settings = set(re.findall(r"^\| `([a-z_.0-9]+)`", (root / "docs/configuration.md").read_text(), re.M))
    sections = {setting[: at.start()] for setting in settings for at in re.finditer(r"\.", setting)}
    named = set(re.findall(r"`([a-z_]+\.[a-z_.0-9]+)(?:=[^`]*|: [^`]*)?`", text))
    check(named <= settings | sections, f"the runbooks name {named - settings - sections}, which are no settings")
    check(len(named) > 20, f"only the settings {named} are found")
    titles = {json.loads(path.read_text())["title"] for path in (mixin / "dashboards").glob("*.json")}
    shown = set(re.findall(r"\*(Yagura / \w+)\*", text))
    check(shown <= titles, f"the runbooks name {shown - titles}, which are no dashboards")
    panels = {panel["title"] for path in (mixin / "dashboards").glob("*.json") for panel in json.loads(path.read_text())["panels"]}
    for name in re.findall(r'"([A-Z][^"]+?)\.?"', " ".join(text.split())):
        section = re.search(rf"^#+ {re.escape(name)}$", (root / "docs/operations.md").read_text(), re.M)
        check(name in panels or section, f'the runbooks name "{name}", which is no panel')


runs("generate.py", sys.executable, str(mixin / "generate.py"), "--check")
uids, titles = set(), set()
dashboards = sorted((mixin / "dashboards").glob("*.json"))
wanted = {"writes", "reads", "ring", "compaction", "rules", "tenants", "resources"}
check({path.stem for path in dashboards} == wanted, f"the dashboards are {[path.stem for path in dashboards]}")
for path in dashboards:
    check_dashboard(path, uids, titles)
check_alerts()
check_words_of_runbooks()
runs("rules check", program, "rules", "check", "--lint-fatal", str(mixin / "alerts"))
runs("rules test", program, "rules", "test", *map(str, sorted((mixin / "tests").glob("*.yaml"))))
for what in wrong:
    print(what)
sys.exit(1 if wrong else 0)
