#!/usr/bin/env bash
# Starts docker-compose.yml with a real Docker engine and no registry, and sends metrics and logs through it. The
# images of others are stand-ins of their names, made of Debian's packages: etcd, Prometheus, Alertmanager and
# nginx are the real programs, of other versions; the S3 store is moto's, of PyPI, in the place of MinIO. Fluent
# Bit and Grafana are not started: Debian has no packages of them.
#
# verify.sh IMAGE_OF_YAGURA.tar     as `docker save` writes it
# verify.sh --binary FILE           makes the image around this program, see deploy/docker/verify.sh
#
# Needs root, Debian's packages, PyPI, and Compose 2: as Docker's plugin, or `docker-compose` on the PATH.
set -euo pipefail
cd "$(dirname "$0")/../.."
. deploy/docker/engine.sh

work=$(mktemp -d)
compose() {
    if docker compose version >/dev/null 2>&1; then docker compose "$@"; else docker-compose "$@"; fi
}
clean() {
    compose down --volumes --timeout 5 >/dev/null 2>&1 || true
    engine_stop
    rm -rf "$work"
}
trap clean EXIT
fail() {
    echo "NOT SO: $*" >&2
    compose ps --all >&2 || true
    compose logs --tail 10 2>/dev/null | cut -c1-300 >&2 || true
    exit 1
}

engine_start "$work/engine"
compose version --short >/dev/null 2>&1 || fail "there is no Compose 2 here"
case "${1:-}" in
    --binary)
        deploy/docker/verify.sh --binary "$2"
        ;;
    *.tar) docker load --quiet --input "$1" ;;
    *) sed -n '2,11s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
export YAGURA_IMAGE=${YAGURA_IMAGE:-yagura:verify} COMPOSE_PROJECT_NAME=yagura-verify

# One root of all the stand-ins.
root=${STAND_INS:-$work/root}
if [ ! -d "$root" ]; then
    engine_bring debootstrap
    DEBOOTSTRAP_DIR=$engine_folder/root/usr/share/debootstrap "$engine_folder/root/usr/sbin/debootstrap" --variant=minbase \
        --include=etcd-server,etcd-client,prometheus,prometheus-alertmanager,nginx-light,busybox,python3,ca-certificates \
        bookworm "$root" http://deb.debian.org/debian >"$work/debootstrap.log" 2>&1 ||
        { tail -n 5 "$work/debootstrap.log" >&2; fail "debootstrap"; }
    python3 -m pip install --quiet --target "$root/opt/moto" --no-compile --python-version 3.11 --only-binary :all: \
        'moto[s3,server]==5.2.5' 2>/dev/null || fail "moto is not to be had"
fi
ln -sf /bin/busybox "$root/usr/local/bin/wget"
cat >"$root/usr/local/bin/minio" <<'SHIM'
#!/bin/sh
# `minio server FOLDER`: an S3 store, in memory.
export PYTHONPATH=/opt/moto PYTHONDONTWRITEBYTECODE=1
exec python3 -m moto.server --host 0.0.0.0 --port 9000
SHIM
cat >"$root/usr/local/bin/mc" <<'SHIM'
#!/usr/bin/python3
# `mc ready local` and `mc mb --ignore-existing store/BUCKET`.
import sys, urllib.request
if sys.argv[1] == "ready":
    urllib.request.urlopen("http://127.0.0.1:9000/moto-api/data.json", timeout=3)
else:
    bucket = sys.argv[-1].removeprefix("store/")
    urllib.request.urlopen(urllib.request.Request(f"http://minio:9000/{bucket}", method="PUT"), timeout=10)
SHIM
chmod +x "$root/usr/local/bin/minio" "$root/usr/local/bin/mc"
engine_import yagura-stand-ins "$root" 'ENV PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
image() { compose config --format json | python3 -c 'import json,sys; print(json.load(sys.stdin)["services"][sys.argv[1]]["image"])' "$1"; }
stand_in() { printf 'FROM yagura-stand-ins\nENTRYPOINT %s\n' "$2" | docker build --quiet --tag "$(image "$1")" - >/dev/null; }
stand_in etcd '[]'
stand_in lb '[]'
stand_in minio '["minio"]'
stand_in bucket '["mc"]'
stand_in prometheus '["/usr/bin/prometheus"]'
stand_in alertmanager '["/usr/bin/prometheus-alertmanager"]'

services=(etcd minio bucket ingester-a ingester-b ingester-c distributor-1 distributor-2 querier-1 querier-2 compactor lb alertmanager prometheus)
if docker run --rm "$YAGURA_IMAGE" --check-config --set target=ruler >/dev/null 2>&1; then
    services+=(ruler-1 ruler-2)
else
    echo "rulers: not started, this program has none"
fi
compose up --detach --no-build --pull never --wait --wait-timeout 180 "${services[@]}" >"$work/up.log" 2>&1 ||
    { cat "$work/up.log" >&2; fail "they do not come up"; }
compose ps --format 'table {{.Service}}\t{{.Status}}'

url=http://127.0.0.1:9009
ask() { in_engine curl --silent --show-error --fail --max-time 20 "$@"; }
value() { ask --get --data-urlencode "query=$1" "$url/api/v1/query" | python3 -c 'import json,sys; print(*(s["value"][1] for s in json.load(sys.stdin)["data"]["result"]))'; }
lines() { ask --get --data-urlencode 'query={app="verify"}' --data "start=$(($(date +%s) - 300))" "$url/loki/api/v1/query_range" | grep -o 'line of [a-z ]*' | sort | tr '\n' ';'; }
push() { ask --header 'Content-Type: application/json' --data '{"streams":[{"stream":{"app":"verify"},"values":[["'"$(date +%s%N)"'","'"$1"'"]]}]}' "$url/loki/api/v1/push"; }
until_same() {
    local n got
    for n in $(seq 90); do
        got=$("${@:3}" 2>/dev/null || true)
        if [ "$got" = "$2" ]; then echo "$1: $got"; return; fi
        sleep 1
    done
    fail "$1 is \"$got\", and \"$2\" is wanted"
}

# Prometheus scrapes every process and writes through the load balancer; the answer comes from a querier.
until_same "processes of Yagura that Prometheus finds up" "$((${#services[@]} - 6))" value 'sum(up{job="yagura"})'
push "line of the whole"
until_same "lines" "line of the whole;" lines
# Any one of each kind may go.
compose kill ingester-b distributor-1 querier-2 >/dev/null 2>&1
push "line of two zones" || fail "a write with a zone missing"
until_same "lines without a zone" "line of the whole;line of two zones;" lines
compose up --detach --no-build --pull never --wait --wait-timeout 120 "${services[@]}" >"$work/up.log" 2>&1 ||
    { cat "$work/up.log" >&2; fail "they do not come back"; }
until_same "lines with it again" "line of the whole;line of two zones;" lines
# To the bucket, and from there.
for zone in a b c; do
    docker run --rm --network "${COMPOSE_PROJECT_NAME}_default" yagura-stand-ins \
        wget -q -O /dev/null --post-data= "http://ingester-$zone:9009/flush" || fail "ingester-$zone does not flush"
done
until_same "lines from the bucket" "line of the whole;line of two zones;" lines
[ "$(in_engine curl --silent --output /dev/null --write-out '%{http_code}' --request POST $url/flush)" = 404 ] ||
    fail "the load balancer lets /flush through"
if [ "${services[-1]}" = ruler-2 ]; then
    until_same "series of a recording rule" "1" value 'service:up:min{service="ingester-a"}'
fi
echo "all is well"
