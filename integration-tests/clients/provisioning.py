"""Checks the files that Grafana is provisioned with, as strictly as Grafana does not: what it does not know it passes
over in silence, and what it cannot use stops it as it starts."""

import json
import re
import urllib.parse
from pathlib import Path

import strict

FOLDER = "deploy/grafana/provisioning"
# Where Grafana's image looks for them.
INSIDE = "/etc/grafana/provisioning"

SOURCE = {
    "name": str, "uid": str, "type": str, "access": str, "url": str, "orgId": int, "isDefault": bool, "editable": bool,
    "version": int, "basicAuth": bool, "basicAuthUser": str, "withCredentials": bool, "user": str, "database": str,
    "jsonData": dict, "secureJsonData": dict, "correlations": list,
}
EVERY_TYPE = {
    "manageAlerts": bool, "alertmanagerUid": str, "disableGrafanaCache": bool, "oauthPassThru": bool, "tlsAuth": bool,
    "tlsAuthWithCACert": bool, "tlsSkipVerify": bool, "serverName": str, "timeout": int, "keepCookies": list,
    "httpHeaderName1": str, "httpHeaderName2": str,
}
OPTIONS = {
    "prometheus": {
        "httpMethod": ("POST", "GET"), "prometheusType": ("Prometheus", "Mimir", "Cortex", "Thanos"),
        "prometheusVersion": str, "timeInterval": str, "queryTimeout": str, "customQueryParameters": str,
        "cacheLevel": ("Low", "Medium", "High", "None"), "incrementalQuerying": bool,
        "incrementalQueryOverlapWindow": str, "defaultEditor": ("code", "builder"), "disableMetricsLookup": bool,
        "disableRecordingRules": bool, "exemplarTraceIdDestinations": list, "allowAsRecordingRulesTarget": bool,
        "codeModeMetricNamesSuggestionLimit": int, "seriesLimit": int, "seriesEndpoint": bool,
    },
    # Grafana keeps the number of lines as text.
    "loki": {"maxLines": str, "derivedFields": list, "alertmanager": str},
    "alertmanager": {"implementation": ("prometheus", "cortex", "mimir"), "handleGrafanaManagedAlerts": bool},
}
DERIVED_FIELD = {
    "name": str, "matcherType": ("label", "regex"), "matcherRegex": str, "url": str, "urlDisplayLabel": str,
    "datasourceUid": str, "targetBlank": bool,
}
# There is a `type` beside `label` too, and it makes some versions of Grafana stop.
CORRELATION = {"targetUID": str, "label": str, "description": str, "config": dict}
CORRELATION_CONFIG = {"type": ("query",), "field": str, "target": dict, "transformations": list}
TRANSFORMATION = {"type": ("regex", "logfmt"), "expression": str, "field": str, "mapValue": str}
PROVIDER = {
    "name": str, "type": ("file",), "orgId": int, "folder": str, "folderUid": str, "editable": bool, "options": dict,
    "disableDeletion": bool, "updateIntervalSeconds": int, "allowUiUpdates": bool,
}
PROVIDER_OPTIONS = {"path": str, "foldersFromFilesStructure": bool}
# What a query may say beside the values of the result that it is asked from.
BUILT_IN = {"__rate_interval", "__interval", "__range", "__from", "__to"}


def is_of(value, kind):
    return value in kind if isinstance(kind, tuple) else type(value) is kind


class Provisioning:
    """What is wrong goes to `check`, with the file that it is in."""

    def __init__(self, root, check):
        self.root, self.say, self.where = root, check, ""
        self.sources = {}
        self.file_of = {}

    def check(self, holds, what):
        self.say(holds, f"{self.where}: {what}")

    def has(self, table, known, what, needed=()):
        for key, value in table.items():
            if key in known:
                self.check(is_of(value, known[key]), f"{what}.{key} is {value!r}")
            else:
                self.check(False, f"Grafana knows no {what}.{key}")
        for key in needed:
            self.check(key in table, f"{what} has no {key}")

    def expanded(self, value, what):
        """Every text as Grafana has it: `$` begins a variable of the environment, and `$$` is one `$`."""
        if isinstance(value, dict):
            return {key: self.expanded(v, f"{what}.{key}") for key, v in value.items()}
        if isinstance(value, list):
            return [self.expanded(v, what) for v in value]
        if isinstance(value, str):
            self.check("$" not in value.replace("$$", ""), f"a lone $ in {what}")
            return value.replace("$$", "$")
        return value

    def load(self, path):
        self.where = path.relative_to(self.root)
        file = strict.load(path.read_text())
        self.check(file.pop("apiVersion", None) == 1, "the apiVersion is not 1")
        return file

    def read_sources(self):
        # Grafana reads `*.yaml` and `*.yml`, and nothing below.
        for path in sorted((self.root / FOLDER / "datasources").iterdir()):
            self.say(path.suffix in (".yaml", ".yml"), f"{path.name} is not read")
            file = self.load(path)
            self.check(set(file) <= {"datasources", "deleteDatasources", "prune"}, f"Grafana knows not all of {set(file)}")
            for source in file["datasources"]:
                self.read_source(self.expanded(source, source.get("name", "a data source")), path)
        defaults = [uid for uid, source in self.sources.items() if source.get("isDefault")]
        self.say(len(defaults) == 1, f"{defaults} are the default data source")
        for key in ("name", "uid"):
            values = [source[key] for source in self.sources.values()]
            self.say(len(set(values)) == len(values), f"data sources share a {key}: {values}")

    def read_source(self, source, path):
        name = source["name"]
        self.has(source, SOURCE, name, ("uid", "type", "url", "access"))
        self.check(re.fullmatch(r"[A-Za-z0-9_-]{1,40}", source["uid"]), f"{source['uid']} is no uid")
        self.check(source["access"] == "proxy", f"browsers would have to reach {name}")
        self.check(source["type"] in OPTIONS, f"{name} is of type {source['type']}")
        options = source.get("jsonData", {})
        self.has(options, {**EVERY_TYPE, **OPTIONS.get(source["type"], {})}, f"{name}.jsonData")
        for field in options.get("derivedFields", []):
            self.has(field, DERIVED_FIELD, "derivedFields", ("name", "matcherRegex"))
            re.compile(field["matcherRegex"])
        for correlation in source.get("correlations", []):
            self.read_correlation(source, correlation)
        self.check(source["uid"] not in self.sources, f"there is another {source['uid']}")
        self.sources[source["uid"]] = source
        self.file_of[source["uid"]] = path

    def read_correlation(self, source, correlation):
        # Grafana takes label and description for granted, and stops without one.
        self.has(correlation, CORRELATION, "correlations", ("targetUID", "label", "description", "config"))
        label, config = correlation.get("label"), correlation.get("config", {})
        # The type is wanted here by versions before 12, and the only one they know.
        self.has(config, CORRELATION_CONFIG, label, ("type", "field", "target"))
        found = {"__value.raw"} | BUILT_IN
        for step in config.get("transformations", []):
            self.has(step, TRANSFORMATION, f"{label}: transformation", ("type",))
            self.check(step.get("type") != "regex" or step.get("expression"), f"{label}: a regex without an expression")
            self.check(step.get("field", config.get("field")) != "labels", f"{label}: Loki's labels are no text")
            found.add(step.get("mapValue", config.get("field")))
        if source["type"] == "loki":
            fields = {field["name"] for field in source["jsonData"].get("derivedFields", [])} | {"Line", "body"}
            self.check(config.get("field") in fields, f"{label}: a line has no field {config.get('field')}")
        used = re.findall(r"\$\{([^}:]+)[^}]*\}|\$(\w+)", json.dumps(config.get("target")))
        for name in (one or other for one, other in used):
            self.check(name in found, f"{label}: nothing is called {name}")

    def references(self, source):
        """The data sources that one refers to, and from where."""
        for correlation in source.get("correlations", []):
            yield correlation.get("targetUID"), correlation.get("label")
        for field in source.get("jsonData", {}).get("derivedFields", []):
            if "datasourceUid" in field:
                yield field["datasourceUid"], field["name"]
            else:
                for uid in self.explored(field):
                    yield uid, field["name"]

    def explored(self, field):
        """The data sources that a link to Explore asks, after all in it is what Explore understands."""
        name, url = field["name"], urllib.parse.urlsplit(field["url"].replace("${__value.raw:percentencode}", "a%2Fb"))
        query = urllib.parse.parse_qs(url.query, strict_parsing=True)
        self.check("$" not in url.geturl(), f"{name}: a value that is not encoded")
        self.check(url.path == "/explore", f"{name} leads to {url.path}")
        self.check(query.get("schemaVersion") == ["1"], f"{name} is of schema {query.get('schemaVersion')}")
        for id, pane in json.loads(query["panes"][0]).items():
            self.check(re.fullmatch(r"(?=.*[a-z])[a-z0-9]{3}", id), f"{name}: {id} is no name of a pane")
            self.has(pane, {"datasource": str, "queries": list, "range": dict}, name, ("datasource", "queries", "range"))
            self.has(pane["range"], {"from": str, "to": str}, f"{name}: range", ("from", "to"))
            yield pane["datasource"]
            for one in pane["queries"]:
                self.has(one, {"refId": str, "datasource": dict, "expr": str}, name, ("refId", "datasource", "expr"))
                self.check("a/b" in one["expr"], f"{name} forgets the value that it is at")
                target = self.sources.get(one["datasource"]["uid"], {})
                self.check(target.get("type") == one["datasource"]["type"], f"{name}: no such {one['datasource']}")
                yield one["datasource"]["uid"]

    def dashboards_are_where_compose_has_them(self, composes):
        home = self.root / "deploy/mixin/dashboards"
        for path in sorted((self.root / FOLDER / "dashboards").iterdir()):
            self.say(path.suffix in (".yaml", ".yml"), f"{path.name} is not read")
            file = self.load(path)
            self.check(set(file) == {"providers"}, f"Grafana knows not all of {set(file)}")
            for provider in file["providers"]:
                provider = self.expanded(provider, provider["name"])
                self.has(provider, PROVIDER, provider["name"], ("name", "type", "options"))
                options = provider["options"]
                self.has(options, PROVIDER_OPTIONS, "options", ("path",))
                folder = provider.get("folder") or provider.get("folderUid")
                self.check(not (folder and options.get("foldersFromFilesStructure")), "folders are named twice")
                for compose in composes:
                    at = {target: source for source, target in compose.mounts(compose.services["grafana"])}
                    self.check(at.get(options["path"]) == home, f"{compose.path}: no dashboards in {options['path']}")
        seen = {}
        for path in sorted(home.glob("*.json")):
            self.where = path.relative_to(self.root)
            board = json.loads(path.read_text())
            for key in ("uid", "title"):
                self.check(board[key] not in seen, f"{board[key]} is also in {seen.get(board[key])}")
                seen[board[key]] = path.name
            for uid in re.findall(r'"(?:uid|value)":\s*"(yagura-(?:metrics|logs)[^"]*)"', path.read_text()):
                self.check(uid in self.sources, f"there is no data source {uid}")

    def compose_has_all_of_it(self, compose):
        """What Grafana finds inside, with the hosts that are there."""
        inside = dict(compose.mounts(compose.services["grafana"]))
        # Grafana looks for more folders there, and the image has them, empty.
        self.say(INSIDE not in inside.values(), f"{compose.path}: what the image has in {INSIDE} is hidden")
        boards = {Path(target) / "yagura.yaml" for source, target in inside.items() if source.name == "dashboards"}
        wanted = Path(INSIDE) / "dashboards/yagura.yaml"
        self.say(wanted in boards, f"{compose.path}: nobody tells Grafana of dashboards")
        there = set()
        for uid, path in self.file_of.items():
            for source, target in inside.items():
                if path == source or source in path.parents:
                    there.add(uid)
                    place = Path(target) / path.relative_to(source)
                    self.say(place.parent == Path(INSIDE) / "datasources", f"{compose.path}: {place} is not read")
        self.say({"yagura-metrics", "yagura-logs"} <= there, f"{compose.path}: Grafana has the data sources {there}")
        for uid in there:
            self.where = f"{compose.path}: {uid}"
            url = urllib.parse.urlsplit(self.sources[uid]["url"])
            self.check(url.hostname in compose.names, f"nobody is called {url.hostname}")
            self.check(url.port == (9093 if uid == "alertmanager" else 9009), f"nobody listens on {url.port}")
            for other, label in self.references(self.sources[uid]):
                self.check(other in there, f"{label} leads to {other}, which is not there")


def check(root, composes, say):
    provisioning = Provisioning(root, say)
    provisioning.read_sources()
    provisioning.dashboards_are_where_compose_has_them(composes)
    for compose in composes:
        provisioning.compose_has_all_of_it(compose)
