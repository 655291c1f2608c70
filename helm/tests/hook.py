"""The steps of `helm test`, run against a real process: they succeed, and fail where nothing was written."""

import os
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from objects import pods_of


def problems(documents, binary):
    pods = pods_of(documents)
    hook = next(pod for pod in pods if pod.app == "yagura-test")
    volumes = {v["name"]: v["configMap"]["name"] for v in hook.spec["volumes"] if "configMap" in v}
    files = {d["metadata"]["name"]: d["data"] for d in documents if d["kind"] == "ConfigMap"}
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        mounts = {}
        for mount in hook.containers[0]["volumeMounts"]:
            at = folder / mount["name"]
            at.mkdir()
            for name, text in files[volumes[mount["name"]]].items():
                (at / name).write_text(text)
            mounts[mount["mountPath"]] = str(at)
        server, address = _start(binary, folder)
        try:
            if not _is_ready(address, server):
                return [f"{binary} does not become ready: {(folder / 'log').read_text()[-500:]}"]
            step = lambda container, run: _step(binary, container, address, mounts, run)
            return [what for what in _try(hook, step) if what]
        finally:
            server.terminate()
            server.wait(40)


def _try(hook, step):
    for container in hook.containers:
        code, said = step(container, "this-run")
        yield code and f"helm test: {container['name']} ends with {code}: {said}"
    for container in hook.containers:
        if container["args"][0] == "query":
            code, said = step(container, "another-run")
            yield not code and f"helm test: {container['name']} finds what was not written: {said}"


def _start(binary, folder):
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    log = (folder / "log").open("w")
    settings = [f"--set=http.listen={address}", f"--set=data_dir={folder / 'data'}"]
    return subprocess.Popen([binary, *settings], stdout=log, stderr=log), f"http://{address}"


def _is_ready(address, server):
    end = time.monotonic() + 60
    while time.monotonic() < end and server.poll() is None:
        try:
            return urllib.request.urlopen(f"{address}/ready", timeout=5).status == 200
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    return False


def _step(binary, container, address, mounts, run):
    arguments = [argument.replace("$(RUN)", run) for argument in container["args"]]
    for path, folder in mounts.items():
        arguments = [argument.replace(path, folder) for argument in arguments]
    environment = {"PATH": os.environ["PATH"], "YAGURA_ADDRESS": address}
    done = subprocess.run([binary, *arguments], env=environment, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, (done.stdout + done.stderr).strip()
