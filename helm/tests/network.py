"""Network policies, as Kubernetes applies them, against what a cluster of Yagura's needs and must not have."""

import ipaddress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import yaml

from objects import pods_of, selects

DNS = "kube-system"
# An address that is nobody's here.
ELSEWHERE = {4: "203.0.113.7", 6: "2001:db9::7"}


@dataclass
class End:
    """Who sends or receives: a pod with labels in a namespace, or an address elsewhere."""

    name: str
    labels: dict = field(default_factory=dict)
    namespace: str = ""
    address: str = ""


def matches(selector, labels):
    for term in selector.get("matchExpressions", []):
        value, is_in = labels.get(term["key"]), labels.get(term["key"]) in term.get("values", [])
        held = {"In": is_in, "NotIn": not is_in, "Exists": value is not None, "DoesNotExist": value is None}
        if not held[term["operator"]]:
            return False
    return selects(selector.get("matchLabels", {}), labels)


def is_peer(peer, end, own):
    if "ipBlock" in peer:
        if not end.address:
            return False
        address, block = ipaddress.ip_address(end.address), ipaddress.ip_network(peer["ipBlock"]["cidr"])
        return address in block and not any(address in ipaddress.ip_network(e) for e in peer["ipBlock"].get("except", []))
    if end.address:
        return False
    if "namespaceSelector" in peer:
        in_namespace = matches(peer["namespaceSelector"], {"kubernetes.io/metadata.name": end.namespace})
    else:
        in_namespace = end.namespace == own
    return in_namespace and matches(peer.get("podSelector", {}), end.labels)


def _lets(policies, way, at, other, port, protocol, own):
    """Whether the policies of `at` let it send to, or be reached by, `other`."""
    if at.address or at.namespace != own:
        return True
    applied = [p for p in policies if way in p["policyTypes"] and matches(p["podSelector"], at.labels)]
    rules = [rule for p in applied for rule in p.get(way.lower(), [])]
    key = "to" if way == "Egress" else "from"
    for rule in rules:
        ports = rule.get("ports")
        fits = not ports or any(p.get("protocol", "TCP") == protocol and p.get("port", port) == port for p in ports)
        if fits and (not rule.get(key) or any(is_peer(peer, other, own) for peer in rule[key])):
            return True
    return not applied


def lets(policies, source, target, port, own, protocol="TCP"):
    sends = _lets(policies, "Egress", source, target, port, protocol, own)
    return sends and _lets(policies, "Ingress", target, source, port, protocol, own)


def problems(documents, values, own):
    policies = [d["spec"] for d in documents if d["kind"] == "NetworkPolicy"]
    if values.get("networkPolicy", {}).get("enabled") is False:
        return ["there are network policies"] if policies else []
    ends = [(pod, End(pod.name, pod.labels, own)) for pod in pods_of(documents)]
    roles = [(pod, end) for pod, end in ends if pod.app == "yagura"]
    etcd, minio, test = ([end for pod, end in ends if pod.app == app] for app in ("etcd", "minio", "yagura-test"))
    dns, stranger = End("DNS", {"k8s-app": "kube-dns"}, DNS), End("a pod of another namespace", {"app": "x"}, "strangers")
    neighbour = End("another pod of this namespace", {"app": "x"}, own)
    policy = values.get("networkPolicy", {})
    needed, barred = [], []
    for pod, end in ends:
        covered = [p for p in policies if set(p["policyTypes"]) == {"Ingress", "Egress"} and matches(p["podSelector"], pod.labels)]
        if len(covered) < 1:
            needed.append((end, End("a policy of its own"), 0, "NONE"))
        if pod.app != "minio":
            needed += [(end, dns, port, protocol) for port in (53,) for protocol in ("TCP", "UDP")]
        barred.append((end, End("anywhere", address=ELSEWHERE[4]), 22, "TCP"))
    for pod, end in roles:
        barred.append((stranger, end, 9009, "TCP"))
        for name in policy.get("allowedNamespaces", []):
            needed.append((End(f"a pod of {name}", {"app": "x"}, name), end, 9009, "TCP"))
        (barred if policy.get("allowOwnNamespace") is False else needed).append((neighbour, end, 9009, "TCP"))
        for _, other in roles:
            if values.get("mode") == "distributed":
                needed.append((end, other, 9095, "TCP"))
        barred += [(who, end, 9095, "TCP") for who in (neighbour, stranger, *etcd, *minio, *test)]
        needed += [(one, end, 9009, "TCP") for one in test]
        remotes = list(_remotes(pod, documents, policy, own))
        needed += [(end, target, port, "TCP") for target, port, _ in remotes]
        # Where the values say where it is, nothing else is reached at its port.
        open_ports = {port for _, port, is_bound in remotes if not is_bound}
        bound = {port for _, port, is_bound in remotes if is_bound} - open_ports
        barred += [(end, End("anywhere", address=a), port, "TCP") for port in bound for a in ELSEWHERE.values()]
        barred += [(who, end, 22, "TCP") for who in (neighbour, stranger)]
    for end in etcd:
        barred += [(who, end, port, "TCP") for port in (2379, 2380) for who in (neighbour, stranger, *test, *minio)]
        barred += [(role, end, 2380, "TCP") for _, role in roles]
        needed += [(one, end, 2380, "TCP") for one in etcd]
    for end in minio:
        barred += [(who, end, 9000, "TCP") for who in (neighbour, stranger, *test, *etcd)]
        barred += [(end, who, port, "TCP") for port in (9009, 9095) for _, who in roles]
    found = [f"{a.name} does not reach {b.name} at {port} ({p})" for a, b, port, p in needed if not lets(policies, a, b, port, own, p)]
    return found + [f"{a.name} reaches {b.name} at {port}" for a, b, port, p in barred if lets(policies, a, b, port, own, p)]


def _remotes(pod, documents, policy, own):
    """Where the configuration sends a role: pods of the release, or addresses elsewhere."""
    volume = next(v for v in pod.spec["volumes"] if v["name"] == "config")
    text = next(d["data"]["yagura.yaml"] for d in documents if d["metadata"]["name"] == volume["configMap"]["name"])
    config = yaml.safe_load(text)
    urls = []
    if config.get("ring", {}).get("store") == "etcd":
        urls += [(url, "etcdPeers") for url in config["ring"]["etcd"]["endpoints"].split(",")]
    if config.get("bucket", {}).get("url", "").startswith("s3://"):
        urls.append((config.get("s3", {}).get("endpoint", "https://s3.amazonaws.com"), "objectStorePeers"))
    if pod.role in ("ruler", "single"):
        given = config["ruler"].get("alertmanager_url", "").split(",")
        urls += [(url, "alertmanagerPeers") for url in given if url]
        if any("ALERTMANAGER_URL" in v["name"] for v in pod.containers[0]["env"]) or "alertmanagers_file" in config["ruler"]:
            urls.append(("http://somewhere:9093", "alertmanagerPeers"))
    if "otlp_endpoint" in config.get("tracing", {}):
        urls.append((config["tracing"]["otlp_endpoint"], None))
    for url, peers in urls:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        inside = _inside(parts.hostname, documents, own)
        if inside:
            yield inside, port, True
        else:
            yield _outside(parts.hostname, policy.get(peers) or []), port, bool(policy.get(peers))


def _inside(host, documents, own):
    """The pod behind a Service's name, or behind a pod's own name below it."""
    names = host.removesuffix(f".{own}.svc").split(".")
    for document in documents:
        if document["kind"] == "Service" and document["metadata"]["name"] == names[-1]:
            pods = [p for p in pods_of(documents) if selects(document["spec"]["selector"], p.labels)]
            return End(pods[0].name, pods[0].labels, own)
    return None


def _outside(host, peers):
    """Somebody who is what the values say: by address, or a pod of a namespace."""
    for peer in peers:
        if "ipBlock" in peer:
            return End(host, address=str(next(iter(ipaddress.ip_network(peer["ipBlock"]["cidr"]).hosts()))))
        return End(host, {}, peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"])
    try:
        return End(host, address=str(ipaddress.ip_address(host)))
    except ValueError:
        return End(host, address=ELSEWHERE[4])


def own_tests():
    """That this file tells what is let through from what is not."""
    web = {"app": "web"}
    deny = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    a, b = End("a", web, "n"), End("b", {"app": "db"}, "n")
    opened = {"podSelector": {"matchLabels": {"app": "db"}}, "policyTypes": ["Ingress"]}
    opened["ingress"] = [{"ports": [{"port": 1}], "from": [{"podSelector": {"matchLabels": web}}]}]
    cases = [
        ("without policies everything goes", lets([], a, b, 1, "n"), True),
        ("an empty policy bars", lets([deny], a, b, 1, "n"), False),
        ("both sides must let it", lets([deny, opened], a, b, 1, "n"), False),
        ("one is enough where the other has none", lets([opened], a, b, 1, "n"), True),
        ("another port does not", lets([opened], a, b, 2, "n"), False),
        ("another protocol does not", lets([opened], a, b, 1, "n", "UDP"), False),
        ("a pod of another namespace is another one", lets([opened], End("c", web, "m"), b, 1, "n"), False),
        ("nor is an address a pod", lets([opened], End("d", address="10.0.0.1"), b, 1, "n"), False),
    ]
    return [f"{what}: was {was}" for what, was, wanted in cases if was is not wanted]
