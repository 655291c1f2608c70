#!/usr/bin/env python3
"""Writes dashboards/*.json, which Grafana reads, from src/*.yaml, which people read.

generate.py          writes them anew
generate.py --check  says which differ from what would be written, and fails if any does

In a query `@` stands for the processes that are chosen, and `@NAME` for what is under `routes` in
src/common.yaml. A panel is `stat`, `graph`, `table` or `logs`; what it does not say is in `DEFAULTS`.
"""

import copy
import json
import re
import sys
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent
COLUMNS = 24
SIZES = {"stat": (4, 4), "graph": (8, 8), "table": (12, 8), "logs": (24, 10)}
CHOSEN = 'job=~"$job", instance=~"$instance"'
COMMON = yaml.safe_load((HERE / "src/common.yaml").read_text())
KNOWN = {"title", "kind", "unit", "width", "help", "queries", "warn", "bad", "stack", "max", "min", "log", "decimals", "below", "columns", "words"}


def metrics():
    return {"type": "prometheus", "uid": "${datasource}"}


def logs():
    return {"type": "loki", "uid": "${loki}"}


def expression(text):
    def word(match):
        name = match.group(1)
        return CHOSEN if not name else COMMON["routes"][name]

    # Not within quotes: there an @ is a character.
    parts = re.split(r'("(?:[^"\\]|\\.)*")', " ".join(text.split()))
    return "".join(part if part.startswith('"') else re.sub(r"@(\w*)", word, part) for part in parts)


def thresholds(panel):
    """Green, then yellow from `warn` and red from `bad` on; the other way round with `below`."""
    good, warn, bad = "green", panel.get("warn"), panel.get("bad")
    if panel.get("below"):
        steps = [("red" if bad is not None else "yellow", None), ("yellow", bad), (good, warn if warn is not None else bad)]
        steps = [step for step in steps if step[0] != "yellow" or warn is not None]
    else:
        steps = [(good, None), ("yellow", warn), ("red", bad)]
    steps = [step for at, step in enumerate(steps) if at == 0 or step[1] is not None]
    return {"mode": "absolute", "steps": [{"color": color, "value": value} for color, value in steps]}


def targets(panel):
    found = []
    for at, query in enumerate(panel["queries"]):
        of_logs = panel["kind"] == "logs" or query.get("logs", False)
        target = {"refId": chr(ord("A") + at), "datasource": logs() if of_logs else metrics(), "expr": expression(query["expr"])}
        if of_logs:
            target |= {"queryType": "range", "maxLines": 200} if panel["kind"] == "logs" else {"queryType": "instant" if panel["kind"] == "table" else "range"}
        elif panel["kind"] == "table":
            target |= {"format": "table", "instant": True, "range": False}
        else:
            target |= {"range": True, "instant": False}
        if panel["kind"] != "logs":
            target["editorMode"] = "code"
            target["legendFormat"] = query.get("legend", "__auto")
        found.append(target)
    return found


def defaults(panel):
    found = {"unit": panel.get("unit", "short"), "color": {"mode": "thresholds" if panel["kind"] == "stat" else "palette-classic"}, "thresholds": thresholds(panel)}
    for key in ("min", "max", "decimals"):
        if key in panel:
            found[key] = panel[key]
    if "words" in panel:
        found["mappings"] = [{"type": "value", "options": {str(value): {"text": text, "index": at} for at, (value, text) in enumerate(panel["words"].items())}}]
    if panel["kind"] == "graph":
        found.setdefault("min", 0)
        shown = panel.get("warn") is not None or panel.get("bad") is not None
        found["custom"] = {
            "drawStyle": "line",
            "lineWidth": 1,
            "fillOpacity": 40 if panel.get("stack") else 8,
            "showPoints": "never",
            "spanNulls": False,
            "stacking": {"mode": "normal" if panel.get("stack") else "none", "group": "A"},
            "thresholdsStyle": {"mode": "dashed" if shown else "off"},
        }
        if panel.get("log"):
            found["custom"]["scaleDistribution"] = {"type": "log", "log": 10}
            del found["min"]
    return found


def options(panel):
    if panel["kind"] == "stat":
        return {
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "colorMode": "background" if "warn" in panel or "bad" in panel else "value",
            "graphMode": "area",
            "textMode": "auto",
            "justifyMode": "auto",
            "orientation": "auto",
        }
    if panel["kind"] == "graph":
        return {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
            "tooltip": {"mode": "multi", "sort": "desc"},
        }
    if panel["kind"] == "table":
        return {"showHeader": True, "cellHeight": "sm"}
    return {
        "showTime": True,
        "wrapLogMessage": True,
        "enableLogDetails": True,
        "sortOrder": "Descending",
        "dedupStrategy": "none",
        "prettifyLogMessage": False,
        "showLabels": False,
        "showCommonLabels": False,
    }


def transformations(panel):
    if panel["kind"] != "table":
        return []
    names = panel["columns"]
    found = [{"id": "merge", "options": {}}] if len(panel["queries"]) > 1 else []
    # One query's value says nothing that its labels do not.
    excluded = {"Time": True} if len(panel["queries"]) > 1 else {"Time": True, "Value": True}
    order = {name: at for at, name in enumerate(names)}
    return found + [{"id": "organize", "options": {"excludeByName": excluded, "indexByName": order, "renameByName": names}}]


def panel_of(panel, number, place):
    unknown = set(panel) - KNOWN
    assert not unknown, f"{panel['title']}: what is {unknown}?"
    of_logs = panel["kind"] == "logs" or all(query.get("logs") for query in panel["queries"])
    width, height = SIZES[panel["kind"]]
    x, y = place
    found = {
        "id": number,
        "type": {"graph": "timeseries"}.get(panel["kind"], panel["kind"]),
        "title": panel["title"],
        "description": " ".join(panel["help"].split()),
        "datasource": logs() if of_logs else metrics(),
        "gridPos": {"h": height, "w": panel.get("width", width), "x": x, "y": y},
        "targets": targets(panel),
        "options": options(panel),
    }
    if panel["kind"] != "logs":
        found["fieldConfig"] = {"defaults": defaults(panel), "overrides": []}
    if panel["kind"] == "table":
        found["transformations"] = transformations(panel)
    return found


def panels(rows):
    """From left to right and from top to bottom, numbered from 1."""
    found, y = [], 0
    for row in rows:
        if "title" in row:
            found.append({"id": len(found) + 1, "type": "row", "title": row["title"], "collapsed": False, "gridPos": {"h": 1, "w": COLUMNS, "x": 0, "y": y}, "panels": []})
            y += 1
        x = height = 0
        for panel in row["panels"]:
            width, tall = SIZES[panel["kind"]]
            width = panel.get("width", width)
            if x + width > COLUMNS:
                x, y, height = 0, y + height, 0
            found.append(panel_of(panel, len(found) + 1, (x, y)))
            x, height = x + width, max(height, tall)
        y += height
    return found


def source_variable(name, label, kind, default):
    return {
        "name": name,
        "label": label,
        "type": "datasource",
        "query": kind,
        "current": {"selected": True, "text": default["name"], "value": default["uid"]},
        "hide": 0,
        "includeAll": False,
        "multi": False,
        "refresh": 1,
        "regex": "",
        "options": [],
    }


def label_variable(name, label, query):
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": metrics(),
        "query": {"qryType": 1, "query": query, "refId": "PrometheusVariableQueryEditor-VariableQuery"},
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        "hide": 0,
        "includeAll": True,
        "allValue": ".+",
        "multi": True,
        "refresh": 2,
        "regex": "",
        "sort": 1,
        "options": [],
    }


def dashboard(source):
    always = COMMON["always"]
    return {
        "uid": source["uid"],
        "title": source["title"],
        "description": " ".join(source["help"].split()),
        "tags": ["yagura"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "timezone": "browser",
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "links": [
            {
                "title": "Yagura",
                "type": "dashboards",
                "tags": ["yagura"],
                "asDropdown": False,
                "includeVars": True,
                "keepTime": True,
                "targetBlank": False,
                "icon": "external link",
                "tooltip": "",
                "url": "",
            }
        ],
        "annotations": {"list": []},
        "templating": {
            "list": [
                source_variable("datasource", "Metrics", "prometheus", {"name": "Yagura metrics", "uid": "yagura-metrics"}),
                source_variable("loki", "Logs", "loki", {"name": "Yagura logs", "uid": "yagura-logs"}),
                label_variable("job", "Job", f"label_values({always}, job)"),
                label_variable("instance", "Process", f'label_values({always}{{job=~"$job"}}, instance)'),
            ]
        },
        "panels": panels(source["rows"] + copy.deepcopy(COMMON["last_rows"])),
    }


def all_dashboards():
    """Name of the file and text of each."""
    for path in sorted((HERE / "src").glob("*.yaml")):
        if path.stem != "common":
            text = json.dumps(dashboard(yaml.safe_load(path.read_text())), indent=1, ensure_ascii=False)
            yield HERE / "dashboards" / f"{path.stem}.json", text + "\n"


def main(arguments):
    wanted = dict(all_dashboards())
    there = set((HERE / "dashboards").glob("*.json"))
    if arguments == ["--check"]:
        wrong = [path for path, text in wanted.items() if path not in there or path.read_text() != text]
        wrong += there - set(wanted)
        for path in wrong:
            print(f"{path.relative_to(HERE)} is not what generate.py writes", file=sys.stderr)
        return bool(wrong)
    if arguments:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    for path, text in wanted.items():
        path.write_text(text)
    for path in there - set(wanted):
        path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
