"""What must be so of the chart's objects, whatever the values."""

import ipaddress
import json
import os
import re
import subprocess
import tempfile
from pathlib import Path

import yaml

WORKLOADS = ("Deployment", "StatefulSet", "Pod")


class Pod:
    """A pod that an object makes."""

    def __init__(self, document):
        self.owner = document
        template = document if document["kind"] == "Pod" else document["spec"]["template"]
        self.name = f"{document['kind']} {document['metadata']['name']}"
        self.labels, self.spec = template["metadata"]["labels"], template["spec"]
        self.annotations = template["metadata"].get("annotations", {})
        self.app = self.labels["app.kubernetes.io/name"]
        self.role = self.labels.get("app.kubernetes.io/component")
        self.containers = self.spec.get("initContainers", []) + self.spec["containers"]


def pods_of(documents):
    return [Pod(d) for d in documents if d["kind"] in WORKLOADS]


def selects(selector, labels):
    return all(labels.get(key) == value for key, value in selector.items())


def problems(documents, values, namespace):
    found = []
    pods = pods_of(documents)
    for document in documents:
        found += _object_problems(document, values, namespace)
    for pod in pods:
        found += [f"{pod.name}: {what}" for what in _pod_problems(pod)]
        found += [f"{pod.name}: {what}" for what in _reference_problems(pod, documents, values)]
    found += _service_problems(documents, pods)
    found += _secrecy_problems(documents, values)
    return found


def _object_problems(document, values, namespace):
    kind, meta = document["kind"], document["metadata"]
    name = f"{kind} {meta['name']}"
    # A StatefulSet's pods have its name and a hash as a label.
    longest = 52 if kind == "StatefulSet" else 63
    if not re.fullmatch(r"[a-z]([a-z0-9-]*[a-z0-9])?", meta["name"]) or len(meta["name"]) > longest:
        yield f"{name}: a bad name, of {len(meta['name'])} characters"
    if meta.get("namespace") != namespace:
        yield f"{name}: is not in the release's namespace"
    labels = meta.get("labels", {})
    for key, value in values.get("commonLabels", {}).items():
        if key not in labels or (not key.startswith("app.kubernetes.io/") and labels[key] != value):
            yield f"{name}: has not the label {key} of commonLabels"
    for key, value in labels.items():
        if not isinstance(value, str) or not re.fullmatch(r"([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?", value):
            yield f"{name}: the label {key} has the value {value!r}"
    if kind == "ServiceAccount" and document.get("automountServiceAccountToken") is not False:
        yield f"{name}: gives its token to pods"


def _pod_problems(pod):
    spec, security = pod.spec, pod.spec.get("securityContext", {})
    if spec.get("automountServiceAccountToken") is not False:
        yield "has a token of the Kubernetes API"
    if spec.get("enableServiceLinks") is not False:
        yield "gets variables of Services"
    if not security.get("runAsNonRoot") or not security.get("runAsUser"):
        yield "may run as root"
    if security.get("seccompProfile") != {"type": "RuntimeDefault"}:
        yield "has no seccomp profile"
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(key):
            yield f"has {key}"
    for container in pod.containers:
        own = container.get("securityContext", {})
        wanted = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
        if own != wanted:
            yield f"{container['name']}: its securityContext is {own}"
        resources = container.get("resources", {})
        if {"cpu", "memory"} - set(resources.get("requests", {})) or "memory" not in resources.get("limits", {}):
            yield f"{container['name']}: asks for no CPU and memory, or has no limit of memory"
        if container.get("ports"):
            missing = {"startupProbe", "livenessProbe", "readinessProbe"} - set(container)
            if missing:
                yield f"{container['name']}: serves without {sorted(missing)}"
            ports = {port["name"] for port in container["ports"]}
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                if container.get(probe, {}).get("httpGet", {}).get("port") not in ports:
                    yield f"{container['name']}: {probe} asks at a port that it has not"
        # One in which ends the write-ahead log's reading must not be part of what restarts a process.
        if pod.app == "yagura" and container["livenessProbe"]["httpGet"]["path"] != "/-/healthy":
            yield "its liveness is not /-/healthy"
        elif pod.app == "yagura" and "checksum/config" not in pod.annotations:
            yield "is not replaced when the configuration changes"
    if pod.owner["kind"] != "Pod":
        match = pod.owner["spec"]["selector"]["matchLabels"]
        if not selects(match, pod.labels) or any(key.startswith(("helm.sh", "app.kubernetes.io/version")) for key in match):
            yield f"its owner selects {match}"
        if pod.app == "yagura" and spec.get("terminationGracePeriodSeconds", 30) < 45:
            yield "is killed before it has drained"
        if pod.role == "ingester" and pod.owner["kind"] != "StatefulSet":
            yield "keeps no disk"


def _reference_problems(pod, documents, values):
    here = {(d["kind"], d["metadata"]["name"]): d for d in documents}
    volumes = {volume["name"]: volume for volume in pod.spec.get("volumes", [])}
    claims = {claim["metadata"]["name"] for claim in pod.owner["spec"].get("volumeClaimTemplates", [])}
    mounted = set()
    for container in pod.containers:
        paths = [mount["mountPath"] for mount in container.get("volumeMounts", [])]
        if len(set(paths)) != len(paths):
            yield f"{container['name']}: mounts two volumes at one path"
        for mount in container.get("volumeMounts", []):
            mounted.add(mount["name"])
            if mount["name"] not in volumes and mount["name"] not in claims:
                yield f"mounts {mount['name']}, which is no volume of it"
        names = [variable["name"] for variable in container.get("env", [])]
        if len(set(names)) != len(names):
            yield f"{container['name']}: sets a variable twice"
        for variable in container.get("env", []):
            reference = variable.get("valueFrom", {}).get("secretKeyRef")
            if reference:
                yield from _secret_problem(reference["name"], [reference["key"]], here, values)
    if set(volumes) - mounted:
        yield f"mounts not {set(volumes) - mounted}"
    for volume in volumes.values():
        if "configMap" in volume:
            document = here.get(("ConfigMap", volume["configMap"]["name"]))
            if document is None:
                yield f"there is no ConfigMap {volume['configMap']['name']}"
                continue
            for item in volume["configMap"].get("items", []):
                if item["key"] not in document["data"]:
                    yield f"the ConfigMap {volume['configMap']['name']} has no {item['key']}"
        if "secret" in volume:
            keys = [item["key"] for item in volume["secret"].get("items", [])]
            yield from _secret_problem(volume["secret"]["secretName"], keys, here, values)
    if pod.owner["kind"] == "StatefulSet":
        service = here.get(("Service", pod.owner["spec"]["serviceName"]))
        if service is None or service["spec"].get("clusterIP") != "None" and pod.app != "minio":
            yield "its serviceName is no headless Service"
        elif not selects(service["spec"]["selector"], pod.labels):
            yield "its Service does not select it"


def _secret_problem(name, keys, here, values):
    """A Secret is the chart's, cert-manager's, or named in the values."""
    own = here.get(("Secret", name))
    if own is not None:
        for key in keys:
            if key not in own.get("stringData", {}):
                yield f"the Secret {name} has no {key}"
        return
    certificates = [d["spec"]["secretName"] for (kind, _), d in here.items() if kind == "Certificate"]
    if name not in certificates and json.dumps(name) not in json.dumps(values):
        yield f"nobody makes the Secret {name}"


def _service_problems(documents, pods):
    by_name = {d["metadata"]["name"]: d for d in documents if d["kind"] == "Service"}
    for name, service in by_name.items():
        selected = [pod for pod in pods if selects(service["spec"]["selector"], pod.labels)]
        if not selected:
            yield f"Service {name}: selects no pod"
        for port in service["spec"]["ports"]:
            for pod in selected:
                if port["targetPort"] not in [p["name"] for c in pod.containers for p in c.get("ports", [])]:
                    yield f"Service {name}: {pod.name} has no port {port['targetPort']}"
    workloads = {(pod.owner["kind"], pod.owner["metadata"]["name"]) for pod in pods}
    budgets = []
    for document in documents:
        name, spec = f"{document['kind']} {document['metadata']['name']}", document.get("spec", {})
        if document["kind"] == "PodDisruptionBudget":
            budgets.append(spec["selector"]["matchLabels"])
            selected = [pod for pod in pods if selects(budgets[-1], pod.labels)]
            if len({pod.role for pod in selected}) != 1 or spec["maxUnavailable"] != 1:
                yield f"{name}: is not one pod of one role"
        if document["kind"] == "HorizontalPodAutoscaler":
            target = spec["scaleTargetRef"]
            if (target["kind"], target["name"]) not in workloads:
                yield f"{name}: scales nothing"
            elif any("replicas" in pod.owner["spec"] for pod in pods if pod.owner["metadata"]["name"] == target["name"]):
                yield f"{name}: an upgrade would set the number back"
        if document["kind"] == "ServiceMonitor":
            match = spec["selector"]["matchLabels"]
            if [s for s in by_name.values() if selects(match, s["metadata"]["labels"])] != [by_name[n] for n in by_name if n.endswith("-members")]:
                yield f"{name}: selects not just the Service of all processes"
        for backend in _backends(document):
            if backend not in by_name:
                yield f"{name}: there is no Service {backend}"
    # Two budgets over one pod: Kubernetes then evicts it never.
    for pod in pods:
        if sum(selects(budget, pod.labels) for budget in budgets) > 1:
            yield f"{pod.name}: two budgets select it"


def _backends(document):
    if document["kind"] == "Ingress":
        return [p["backend"]["service"]["name"] for r in document["spec"]["rules"] for p in r["http"]["paths"]]
    if document["kind"] == "HTTPRoute":
        return [b["name"] for r in document["spec"]["rules"] for b in r["backendRefs"]]
    return []


def _secrecy_problems(documents, values):
    password = values.get("minio", {}).get("rootPassword")
    for document in documents:
        name = f"{document['kind']} {document['metadata']['name']}"
        if password and document["kind"] != "Secret" and password in json.dumps(document):
            yield f"{name}: shows a password"
    for pod in pods_of(documents):
        for container in pod.containers:
            for variable in container.get("env", []):
                if re.search("PASSWORD|SECRET|TOKEN|ACCESS_KEY", variable["name"]) and "value" in variable:
                    yield f"{pod.name}: {variable['name']} is no reference"


def configuration_problems(documents, binary):
    """What Yagura says of the configuration of each role."""
    maps = {d["metadata"]["name"]: d["data"] for d in documents if d["kind"] == "ConfigMap"}
    for pod in pods_of(documents):
        if pod.app != "yagura":
            continue
        volume = next(v for v in pod.spec["volumes"] if v["name"] == "config")
        text = maps[volume["configMap"]["name"]]["yagura.yaml"]
        variables = {v["name"]: _value_of(v) for v in pod.containers[0].get("env", [])}
        address = "::1" if "[::]" in text else str(ipaddress.ip_address("10.0.0.1"))
        variables = {key: value.replace("$(POD_IP)", address) for key, value in variables.items()}
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "yagura.yaml"
            path.write_text(text)
            environment = {"PATH": os.environ["PATH"], **variables}
            done = subprocess.run(
                [binary, f"--config.file={path}", "--check-config"], env=environment, capture_output=True, text=True, timeout=20, check=False
            )
        if done.returncode != 0:
            yield f"{pod.name}: {done.stderr.strip()}"


def _value_of(variable):
    if "value" in variable:
        return variable["value"]
    return {"status.podIP": "$(POD_IP)", "metadata.name": "pod-0"}.get(
        variable["valueFrom"].get("fieldRef", {}).get("fieldPath"), "http://am:9093" if "URL" in variable["name"] else "hush"
    )
