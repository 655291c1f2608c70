"""Checks what is in deploy/ and docker-compose.yml of the sources in argv[1], with the program in argv[2]."""

import re
import shutil
import subprocess
import sys
import urllib.parse
from pathlib import Path

import provisioning
import strict
import yaml

root, program = Path(sys.argv[1]).resolve(), sys.argv[2]
wrong = []


def check(holds, what):
    if not holds:
        wrong.append(what)


def load(path):
    return strict.load((root / path).read_text())


def is_good(name, arguments, env=None):
    """Whether Yagura would start with this configuration."""
    run = subprocess.run([program, *arguments, "--check-config"], env=env or {}, capture_output=True, text=True)
    check(run.returncode == 0, f"{name}: {run.stderr.strip()}")


def host_and_port(text):
    url = urllib.parse.urlsplit(text if "//" in text else f"//{text}")
    return url.hostname, url.port


def every_file_is_yaml():
    files = [*root.glob("deploy/**/*.yaml"), *root.glob("deploy/**/*.yml"), root / "docker-compose.yml"]
    check(len(files) > 10, f"only {len(files)} files are looked at")
    for path in files:
        try:
            strict.load_all(path.read_text())
        except yaml.YAMLError as error:
            wrong.append(f"{path.relative_to(root)}: {error}")


def configurations_are_good():
    for path in [*root.glob("deploy/examples/*.yaml"), *root.glob("deploy/*/yagura.yaml"), root / "deploy/compose/cluster.yaml"]:
        if path.parent.name not in ("rules", "log-rules"):
            is_good(path.relative_to(root), [f"--config.file={path}", "--set", "ring.advertise=here:9095"])


class Compose:
    """A Compose file: what its services are called, and which of them are Yagura."""

    def __init__(self, path):
        self.path, self.folder = path, (root / path).parent
        # As it is where nobody sets a variable.
        self.file = strict.load(re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", (root / path).read_text()))
        self.services = self.file["services"]
        self.names = set(self.services)
        for service in self.services.values():
            networks = service.get("networks") or {}
            self.names.update(alias for network in networks.values() for alias in (network or {}).get("aliases", []))
        self.yagura = {n: s for n, s in self.services.items() if s["image"] == OURS}

    def says(self, holds, what):
        check(holds, f"{self.path}: {what}")

    def mounts(self, service):
        """From where to where, of folders and files of ours."""
        for volume in service.get("volumes", []):
            source, target = volume.split(":")[:2]
            if source.startswith("."):
                yield (self.folder / source).resolve(), target

    def is_sound(self):
        volumes = set(self.file.get("volumes") or {})
        for name, service in self.services.items():
            image = service["image"]
            tag = image.rpartition(":")[2]
            self.says(image == OURS or (":" in image and tag != "latest"), f"{name}: {image} may change")
            self.says(service.get("cap_drop") == ["ALL"], f"{name} keeps capabilities")
            self.says("no-new-privileges:true" in service.get("security_opt", []), f"{name} may get privileges")
            for volume in service.get("volumes", []):
                source = volume.split(":")[0]
                self.says(source[0] in "./" or source in volumes, f"{name}: no volume {source}")
            for source, _ in self.mounts(service):
                self.says(source.exists(), f"{name}: {source} is not there")
            for port in service.get("ports", []):
                self.says(port.startswith("127.0.0.1:"), f"{name} is open to the world: {port}")
                self.says(name in ("lb", "grafana", "prometheus", "alertmanager", "yagura"), f"{name} is published")
            for other, how in (service.get("depends_on") or {}).items():
                self.says(other in self.services, f"{name} depends on {other}, which is not there")
                healthy = other in self.yagura or "healthcheck" in self.services.get(other, {})
                self.says(healthy or how["condition"] != "service_healthy", f"{name} waits for the health of {other}")

    def is_built_once(self):
        built = [name for name, service in self.services.items() if "build" in service]
        self.says(len(built) == 1 and built[0] in self.yagura, f"{built} are built")

    def is_taken_by_compose(self):
        """Whether Compose reads it, and has nothing to say."""
        run = subprocess.run([*COMPOSE, "--file", root / self.path, "config", "--quiet"], capture_output=True, text=True)
        self.says(run.returncode == 0 and not run.stderr, run.stderr.strip())

    def settings(self, name):
        """The arguments and the environment of a process, with its configuration as the image finds it."""
        service = self.yagura[name]
        words = service.get("command", [])
        config = root / "deploy/docker/yagura.yaml"
        for source, target in self.mounts(service):
            if target == "/etc/yagura/yagura.yaml":
                config = source
        env = {key: str(value) for key, value in service.get("environment", {}).items()}
        return config, words, env

    def processes_are_as_the_image_wants_them(self):
        for name, service in self.yagura.items():
            config, words, env = self.settings(name)
            is_good(f"{self.path}: {name}", [f"--config.file={config}", *words], env)
            # The health check has the same file and environment, and no command line.
            self.says(not words, f"{name} has settings that its health check does not see")
            self.says(service.get("user") == USER, f"{name} is not {USER}, as the Dockerfile says")
            self.says(service.get("read_only") is True, f"{name} may write to its root")
            self.says(seconds(service["stop_grace_period"]) > DRAIN, f"{name} is killed while it drains")
            self.says(load(config.relative_to(root))["data_dir"] == "/data", f"{name} keeps its data elsewhere than in /data")
            places = [v.split(":")[1] for v in service.get("volumes", [])] + [t.split(":")[0] for t in service.get("tmpfs", [])]
            self.says("/data" in places, f"{name} has no /data")


def compose_command():
    """Compose 2 or newer, as Docker's plugin or by itself, or as scripts/tools.sh brings it."""
    for command in (["docker", "compose"], ["docker-compose"], [str(root / "target/tools/docker-compose")]):
        if shutil.which(command[0]):
            run = subprocess.run([*command, "version", "--short"], capture_output=True, text=True)
            if run.returncode == 0 and re.match(r"v?([2-9]|\d\d)\.", run.stdout):
                return command
    return None


def seconds(text):
    return int(text.removesuffix("s"))


def the_cluster_is_one(compose):
    seen, zones, roles = set(), [], {}
    for name in compose.yagura:
        config, _, env = compose.settings(name)
        given = {key.removeprefix("YAGURA__").lower().replace("__", "."): value for key, value in env.items()}
        config = load(config.relative_to(root))
        port = host_and_port(config["grpc"]["listen"])[1]
        check(given["ring.advertise"] == f"{name}:{port}", f"{name} tells others that it is {given['ring.advertise']}")
        check(given["ring.instance_id"] == name, f"{name} is {given['ring.instance_id']} in the ring")
        role = given["target"]
        roles[role] = roles.get(role, 0) + 1
        if role == "ingester":
            zones.append(given["ring.zone"])
        seen.update(host_and_port(url)[0] for url in config["ring"]["etcd"]["endpoints"].split(","))
        seen.add(host_and_port(config["s3"]["endpoint"])[0])
        seen.update(host_and_port(value)[0] for key, value in env.items() if key.endswith("ALERTMANAGER_URL"))
    want = {"distributor": 2, "ingester": 3, "querier": 2, "ruler": 2, "compactor": 1}
    check(roles == want, f"the cluster has {roles}, and {want} is wanted")
    check(len(set(zones)) == 3, f"ingesters are in the zones {zones}")
    check(seen <= compose.names, f"nobody is called {seen - compose.names}")
    secret = compose.services["minio"]["environment"]
    check(secret["MINIO_ROOT_PASSWORD"] == compose.yagura["compactor"]["environment"]["YAGURA__S3__SECRET_ACCESS_KEY"], "MinIO has another secret")
    bucket = load("deploy/compose/cluster.yaml")
    check(secret["MINIO_ROOT_USER"] == bucket["s3"]["access_key_id"], "MinIO has another key")
    made = compose.services["bucket"]["command"][-1].partition("/")[2]
    check(bucket["bucket"]["url"] == f"s3://{made}", f"the bucket {made} is made, and another one is used")


def the_load_balancer_knows_all_writes(compose):
    conf = (root / "deploy/compose/nginx.conf").read_text()
    pools = dict(re.findall(r'map "" \$(\w+) \{\s*default ([^;]+);', conf))
    check(set(pools) == {"distributors", "queriers"}, f"nginx has the pools {set(pools)}")
    for pool, address in pools.items():
        host, port = host_and_port(address)
        role = pool.removesuffix("s")
        members = {n for n, s in compose.services.items() if host in ((s.get("networks") or {}).get("default") or {}).get("aliases", [])}
        check(members == {n for n in compose.yagura if n.startswith(role)}, f"{host} is {members}")
        check(port == 9009, f"nginx asks {address}")
    locations = re.findall(r"location (=? ?\S+) \{ proxy_pass http://\$(\w+);", conf)
    writes = {place.strip() for place, pool in locations if pool == "distributors"}
    routes = set()
    for source in root.glob("crates/http-api/src/**/*.rs"):
        if "tests" not in source.parts:
            routes.update(re.findall(r'\.write\("(/[^"{/]+/[^"{]+)"', source.read_text()))
    check(len(routes) >= 7, f"only {routes} are found in the sources")
    for route in routes:
        reached = any(place == f"= {route}" or (place[0] != "=" and route.startswith(place)) for place in writes)
        check(reached, f"nginx does not send {route} to distributors")
    for place in writes:
        check(any(r == place.removeprefix("= ") or r.startswith(place) for r in routes), f"nginx sends {place} to distributors")
    listen = re.search(r"listen (\d+);", conf).group(1)
    check(compose.services["lb"]["ports"] == [f"127.0.0.1:{listen}:{listen}"], "another port of nginx is published")
    return writes


def prometheus_and_agent_reach_it(compose, file, writes):
    config = load(f"deploy/compose/{file}")
    targets = {t for job in config["scrape_configs"] for static in job["static_configs"] for t in static["targets"]}
    hosts = {host_and_port(target)[0] for target in targets}
    check(hosts <= compose.names, f"{file} scrapes {hosts - compose.names}, which are not there")
    missing = {f"{name}:9009" for name in compose.yagura} - targets
    check(not missing, f"{file} does not scrape {missing}")
    url = urllib.parse.urlsplit(config["remote_write"][0]["url"])
    check(url.hostname in compose.names and url.port == 9009, f"{file} writes to {url.netloc}")
    check(f"= {url.path}" in writes, f"{file} writes to {url.path}")
    if "fluent-bit" in compose.services:
        loki = load("deploy/compose/fluent-bit.yaml")["pipeline"]["outputs"][0]
        check(loki["host"] in compose.names and loki["port"] == 9009, "Fluent Bit pushes elsewhere")
        check(f"= {loki['uri']}" in writes, f"Fluent Bit pushes to {loki['uri']}")


def the_image_is_what_others_take_it_for():
    text = (root / "deploy/docker/Dockerfile").read_text()
    check("ENV YAGURA_CONFIG_FILE=/etc/yagura/yagura.yaml" in text, "the image takes another configuration")
    ports = set(re.search(r"^EXPOSE (.*)$", text, re.M).group(1).split())
    config = load("deploy/docker/yagura.yaml")
    listened = {str(host_and_port(config[section]["listen"])[1]) for section in ("http", "grpc")}
    check(ports == listened, f"the image exposes {ports} and listens on {listened}")
    check(not text.startswith("# syntax"), "the build fetches a frontend")
    members = load_ignored()
    for needed in ("Cargo.toml", "Cargo.lock", ".cargo", "crates", "integration-tests", "proto", "scripts"):
        check(f"!{needed}" in members, f".dockerignore leaves {needed} out")


    cargo = (root / "Cargo.toml").read_text()
    for what, here, there in (
        ("version", re.search(r'^version = "(.*)"', cargo, re.M), re.search(r"^ARG VERSION=(.*)$", text, re.M)),
        ("Rust", re.search(r'^rust-version = "(.*)"', cargo, re.M), re.search(r"^ARG BUILD_IMAGE=rust:([\d.]+)-", text, re.M)),
    ):
        check(here.group(1) == there.group(1), f"the image has the {what} {there.group(1)}, and the sources {here.group(1)}")


def load_ignored():
    return (root / ".dockerignore").read_text().splitlines()


def the_unit_keeps_its_data_and_its_time():
    unit = (root / "deploy/systemd/yagura.service").read_text()
    values = dict(re.findall(r"^(\w+)=(.*)$", unit, re.M))
    check(f"data_dir=/var/lib/{values['StateDirectory']}" in values["ExecStart"], "the unit keeps its data elsewhere")
    check(values["DynamicUser"] == "yes" and "User" not in values, "the unit has a user")
    check(int(values["TimeoutStopSec"]) > DRAIN, "the unit is killed while it drains")


OURS = "yagura:local"
COMPOSE = compose_command()
USER = re.search(r"^USER (\S+)$", (root / "deploy/docker/Dockerfile").read_text(), re.M).group(1)
DRAIN = int(re.search(r"DRAIN_WITHIN: Duration = Duration::from_secs\((\d+)\)", (root / "crates/yagura/src/main.rs").read_text()).group(1))

every_file_is_yaml()
configurations_are_good()
cluster, single = Compose("docker-compose.yml"), Compose("deploy/compose/single.yml")
for compose in (cluster, single):
    compose.is_sound()
    compose.processes_are_as_the_image_wants_them()
    compose.is_built_once()
    if COMPOSE:
        compose.is_taken_by_compose()
    else:
        print(f"{compose.path} is not asked of Compose: there is no Compose 2 here")
the_cluster_is_one(cluster)
writes = the_load_balancer_knows_all_writes(cluster)
prometheus_and_agent_reach_it(cluster, "prometheus.yaml", writes)
prometheus_and_agent_reach_it(single, "prometheus-single.yaml", writes)
provisioning.check(root, [cluster, single], check)
the_image_is_what_others_take_it_for()
the_unit_keeps_its_data_and_its_time()
for what in wrong:
    print(what)
sys.exit(1 if wrong else 0)
