"""Objects against the schemas of Kubernetes; what is not Kubernetes' own against the outlines below."""

import functools
import json
import re
from importlib import resources

import jsonschema
import referencing


def problems(documents, version):
    found = []
    for document in documents:
        kind, api = document["kind"], document["apiVersion"]
        name = f"{kind} {document['metadata']['name']}"
        if (kind, api) in OUTLINES:
            validator = jsonschema.Draft202012Validator(OUTLINES[kind, api])
        else:
            validator = official(kind, api, version)
        if validator is None:
            found.append(f"{name}: {api} has no schema, and no outline in schemas.py")
            continue
        for error in validator.iter_errors(document):
            found.append(f"{name}: {'.'.join(map(str, error.absolute_path))}: {error.message[:300]}")
    return found


def _read(folder, name):
    return json.loads((folder / name).read_text())


@functools.cache
def _registry(version):
    base = resources.files("kubernetes_validate") / "kubernetes-json-schema" / f"v{version}.0-local-strict"
    definitions = referencing.Resource.from_contents(_read(base, "_definitions.json"))
    return base, referencing.Registry().with_resource(definitions.id(), definitions)


@functools.cache
def official(kind, api, version):
    base, registry = _registry(version)
    # rbac.authorization.k8s.io/v1 is rbac-v1 there.
    short = re.sub(r"^([^./]*)(?:[.][^/]*)?/", r"\1-", api)
    file = f"{kind.lower()}-{short}.json"
    if not (base / file).is_file():
        return None
    schema = _read(base, file)
    resource = referencing.Resource.from_contents(schema)
    return jsonschema.Draft202012Validator(schema, registry=registry.with_resource(resource.id() or "", resource))


TEXT = {"type": "string", "minLength": 1}
DURATION = {"type": "string", "pattern": "^([0-9]+(h|m|s))+$"}


def fields(required, **properties):
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def of(kind, api, spec):
    metadata = fields(["name"], name=TEXT, namespace=TEXT, labels={"type": "object"}, annotations={"type": "object"})
    return fields(["kind", "apiVersion", "metadata", "spec"], kind={"const": kind}, apiVersion={"const": api}, metadata=metadata, spec=spec)


def many(item, least=1):
    return {"type": "array", "items": item, "minItems": least}


KEY = fields(["name", "key"], name=TEXT, key=TEXT)
RELABELING = fields([], sourceLabels=many(TEXT), targetLabel=TEXT)
ENDPOINT = fields(
    ["port"],
    port=TEXT,
    path={"const": "/metrics"},
    interval=DURATION,
    scheme={"enum": ["http", "https"]},
    tlsConfig=fields(["ca", "serverName"], serverName=TEXT, ca=fields(["secret"], secret=KEY)),
    authorization=fields(["credentials"], credentials=KEY),
    relabelings=many(RELABELING),
)
RULE = fields(["expr"], alert=TEXT, record=TEXT, expr=TEXT, labels={"type": "object"}, annotations={"type": "object"})
RULE["properties"] |= {"for": DURATION, "keep_firing_for": DURATION}
GROUP = fields(["name", "rules"], name=TEXT, interval=DURATION, rules=many(RULE))
BACKEND = fields(["name", "port"], name=TEXT, port={"type": "integer"})
PATH = fields(["type", "value"], type={"const": "PathPrefix"}, value={"type": "string", "pattern": "^/"})

# By what their projects document: only what the chart uses is in them.
OUTLINES = {
    (kind, api): of(kind, api, spec)
    for kind, api, spec in [
        (
            "Certificate",
            "cert-manager.io/v1",
            fields(
                ["secretName", "issuerRef", "dnsNames"],
                secretName=TEXT,
                commonName={"type": "string", "maxLength": 64},
                dnsNames={**many({"type": "string", "pattern": "^[a-z0-9.-]{1,253}$"}), "uniqueItems": True},
                usages=many({"enum": ["server auth", "client auth", "digital signature", "key encipherment"]}),
                duration=DURATION,
                renewBefore=DURATION,
                privateKey=fields([], algorithm={"const": "ECDSA"}, size={"const": 256}, rotationPolicy={"const": "Always"}),
                issuerRef=fields(["name"], name=TEXT, kind=TEXT, group=TEXT),
            ),
        ),
        (
            "ServiceMonitor",
            "monitoring.coreos.com/v1",
            fields(
                ["selector", "endpoints"],
                selector=fields(["matchLabels"], matchLabels={"type": "object"}),
                namespaceSelector=fields([], matchNames=many(TEXT)),
                endpoints=many(ENDPOINT),
            ),
        ),
        ("PrometheusRule", "monitoring.coreos.com/v1", fields(["groups"], groups=many(GROUP))),
        (
            "HTTPRoute",
            "gateway.networking.k8s.io/v1",
            fields(
                ["parentRefs", "rules"],
                parentRefs=many({"type": "object", "required": ["name"]}),
                hostnames=many(TEXT),
                rules=many(fields(["matches", "backendRefs"], matches=many(fields(["path"], path=PATH)), backendRefs=many(BACKEND))),
            ),
        ),
    ]
}
