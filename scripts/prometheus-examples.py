"""Brings the examples with which Prometheus tests its unit tests of rules: prometheus-examples.py FOLDER.

They come out of Prometheus's Go module, from the module proxy, and are data for a test of ours.
"""

import io
import os
import sys
import urllib.request
import zipfile

VERSION = "v0.313.0"
MODULE = "github.com/prometheus/prometheus"
EXAMPLES = f"{MODULE}@{VERSION}/cmd/promtool/testdata/"


def main(folder):
    done = os.path.join(folder, "version")
    if os.path.exists(done) and open(done, encoding="utf-8").read() == VERSION:
        return
    proxy = os.environ.get("GOPROXY", "https://proxy.golang.org").split(",")[0].split("|")[0]
    url = f"{proxy.rstrip('/')}/{MODULE}/@v/{VERSION}.zip"
    print(f"Bringing Prometheus's examples of unit tests into {folder}")
    with urllib.request.urlopen(url, timeout=120) as answer:
        archive = zipfile.ZipFile(io.BytesIO(answer.read()))
    os.makedirs(folder, exist_ok=True)
    for name in archive.namelist():
        rest = name.removeprefix(EXAMPLES)
        if rest != name and rest.endswith((".yml", ".yaml")) and "/" not in rest:
            with open(os.path.join(folder, rest), "wb") as file:
                file.write(archive.read(name))
    with open(done, "w", encoding="utf-8") as file:
        file.write(VERSION)


main(sys.argv[1])
