"""What roll_out.py has for a kubectl: zones whose state is in the file STATE."""

import json
import os
import re
import sys


def kubectl(arguments, state):
    """The answers that the script needs. Each question is a moment, in which who is away comes nearer."""
    state["away"] = {pod: left - 1 for pod, left in state["away"].items() if left > 1}
    state["unseen"] = max(0, state["unseen"] - 1)
    text = " ".join(arguments)
    if "get statefulsets" in text:
        return "" if state.get("none") else "y-ingester-b\ny-ingester-a\ny-ingester-c\n"
    if "get statefulset" in text:
        zone, path = re.search(r"y-ingester-(.) .*jsonpath=(.*)$", text).groups()
        values = {
            ".metadata.generation": "7",
            ".status.observedGeneration": "6" if state["unseen"] else "7",
            ".spec.replicas": "2",
            ".status.updateRevision": "new",
            ".spec.template.metadata.labels.yagura/zone": zone,
        }
        return re.sub(r"\{(.*?)\}", lambda field: values.get(field.group(1), "\n"), path)
    zone = re.search(r"yagura/zone=(.)", text)
    if zone and "controller-revision-hash!=new" in text:
        return "".join(f"pod/{pod}\n" for pod in state["old"] if pod[0] == zone.group(1))
    if zone:
        # One of those that are away is there and not ready, another is still being deleted.
        away = [pod for pod in state["away"] if pod[0] == zone.group(1)]
        return "True\n" * (2 - len(away)) + "".join(["False\n", "2026-12-01T00:00:00ZTrue\n"][: len(away)])
    pods = [name.removeprefix("pod/") for name in arguments if name.startswith("pod/")]
    if "--wait=false" not in arguments:
        # A real one may wait for ever for pods that come back under their names.
        sys.exit("fake kubectl: this would wait until the pods are gone")
    state["deleted"].append(pods)
    state["together"] += pods if state["away"] else []
    for pod in pods:
        state["old"].remove(pod)
        state["away"][pod] = 10**9 if pod in state["dead"] else 4
    return ""


if __name__ == "__main__":
    with open(os.environ["STATE"]) as file:
        now = json.load(file)
    sys.stdout.write(kubectl(sys.argv[1:], now))
    with open(os.environ["STATE"], "w") as file:
        json.dump(now, file)
