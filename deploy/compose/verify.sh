#!/usr/bin/env bash
# Starts deploy/compose/single.yml and then docker-compose.yml with a real Docker engine, sends metrics and logs
# through them, and breaks what may break. Nothing is asked of a registry: an image of others that the engine has
# is used (`docker compose pull` brings them), and for the rest there are stand-ins of the same names, made of
# Debian's packages: etcd, Prometheus, Alertmanager and nginx are the real programs, of other versions; the S3
# store is moto's, of PyPI, in the place of MinIO. Fluent Bit and Grafana have no stand-ins, and are left out where
# their images are not.
#
# verify.sh IMAGE_OF_YAGURA.tar     as `docker save` writes it, and SAVE=FILE ../docker/verify.sh
# verify.sh --binary FILE           makes the image around this program, see ../docker/verify.sh
#
# IMAGES=FOLDER     first loads what is in the folder as `docker save` writes it
# STAND_INS=FOLDER  the root of the stand-ins: made if it is not there, and kept
#
# Needs root, Debian's packages, PyPI, and Compose 2, which ../../scripts/tools.sh compose brings.
set -euo pipefail
cd "$(dirname "$0")/../.."
. deploy/docker/engine.sh

work=$(mktemp -d)
# Of its own, whoever else runs these files here.
export COMPOSE_PROJECT_NAME=yagura-verify YAGURA_IMAGE=${YAGURA_IMAGE:-yagura:verify}
compose() { "${compose[@]}" "$@"; }
made=()
clean() {
    docker rm --force "$COMPOSE_PROJECT_NAME-other" >/dev/null 2>&1 || true
    [ -z "${COMPOSE_FILE:-}" ] || compose down --volumes --timeout 5 >/dev/null 2>&1 || true
    # The names are those of others.
    [ -n "$engine_pid" ] || [ ${#made[@]} = 0 ] || docker rmi "${made[@]}" >/dev/null 2>&1 || true
    engine_stop
    rm -rf "$work"
}
trap clean EXIT
fail() {
    echo "NOT SO: $*" >&2
    compose ps --all >&2 || true
    compose logs --no-color --tail 10 2>/dev/null | cut -c1-300 >&2 || true
    exit 1
}

engine_start "$work/engine"
if docker compose version >/dev/null 2>&1; then
    compose=(docker compose)
else
    scripts/tools.sh compose
    compose=("$(command -v docker-compose || echo target/tools/docker-compose)")
fi
echo "Compose: $(compose version --short)"
case "${1:-}" in
    --binary) deploy/docker/verify.sh --binary "$2" ;;
    *.tar) YAGURA_IMAGE=$(docker load --input "$1" | sed -n 's/^Loaded image: //p') ;;
    *) sed -n '2,16s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
for image in ${IMAGES:+"$IMAGES"/*.tar}; do docker load --quiet --input "$image"; done
DOCKER_DATA_ROOT=$(docker info --format '{{.DockerRootDir}}')
export DOCKER_DATA_ROOT

# One root of all the stand-ins.
root=${STAND_INS:-$work/root}
if [ ! -d "$root" ]; then
    engine_debian "$root" etcd-server,etcd-client,prometheus,prometheus-alertmanager,nginx-light,busybox,python3,ca-certificates
    python3 -m pip install --quiet --target "$root/opt/moto" --no-compile --python-version 3.11 --only-binary :all: \
        'moto[s3,server]==5.2.5' >"$work/pip.log" 2>&1 || { cat "$work/pip.log" >&2; fail "moto is not to be had"; }
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
made=(yagura-stand-ins)
declare -A entrypoints=(
    [etcd]='[]' [lb]='[]' [minio]='["minio"]' [bucket]='["mc"]'
    [prometheus]='["/usr/bin/prometheus"]' [alertmanager]='["/usr/bin/prometheus-alertmanager"]'
)

# The services of the file that can be started here are in `services`, those of Yagura in `processes`.
use() {
    export COMPOSE_FILE=$1
    local service image what=
    services=() processes=()
    compose config --quiet 2>"$work/config.log" && [ ! -s "$work/config.log" ] ||
        { cat "$work/config.log" >&2; fail "Compose says that of $1"; }
    while read -r service image; do
        if [ "$image" = "$YAGURA_IMAGE" ]; then
            processes+=("$service")
        elif docker image inspect "$image" >/dev/null 2>&1; then
            [[ " ${made[*]} " = *" $image "* ]] || what+=" $service=$image"
        elif [ -n "${entrypoints[$service]:-}" ]; then
            printf 'FROM yagura-stand-ins\nENTRYPOINT %s\n' "${entrypoints[$service]}" | docker build --quiet --tag "$image" - >/dev/null
            made+=("$image")
        else
            what+=" no-$service"
            continue
        fi
        services+=("$service")
    done < <(compose config --format json | python3 -c 'import json, sys
for name, service in json.load(sys.stdin)["services"].items(): print(name, service["image"])')
    echo "$1: ${#services[@]} services${what:+, with others than stand-ins:$what}"
}
has() { [[ " ${services[*]} " = *" $1 "* ]]; }
up() {
    local began
    began=$(date +%s)
    compose up --detach --no-build --pull never --wait --wait-timeout 240 "${services[@]}" >"$work/up.log" 2>&1 ||
        { cat "$work/up.log" >&2; fail "they do not come up"; }
    echo "$1 within: $(($(date +%s) - began)) s"
}

url=http://127.0.0.1:9009
ask() { in_engine curl --silent --show-error --fail --max-time 20 "$@"; }
of_json() { python3 -c "import json, sys; print(*sorted($1 for s in json.load(sys.stdin)$2))"; }
value() { ask --get --data-urlencode "query=$1" "$url/api/v1/query" | of_json 's["value"][1]' '["data"]["result"]'; }
labels() { ask --get --data-urlencode "query=$2" "$url/api/v1/query" | of_json "s[\"metric\"][\"$1\"]" '["data"]["result"]'; }
lines() { ask --get --data-urlencode "query=$1" --data "start=$(($(date +%s) - 900))" "$url/loki/api/v1/query_range" | grep -o 'line of [a-z ]*' | sort | tr '\n' ';'; }
push() { ask --header 'Content-Type: application/json' --data '{"streams":[{"stream":{"app":"verify"},"values":[["'"$(date +%s%N)"'","'"$1"'"]]}]}' "$url/loki/api/v1/push"; }
# Of services of Yagura, for others may not have been started.
alerts() { ask --get --data-urlencode "filter=alertname=\"$1\"" --data-urlencode "filter=service=~\"$(IFS='|'; echo "${processes[*]}")\"" http://127.0.0.1:9093/api/v2/alerts | of_json 's["labels"]["service"]' ''; }
in_bucket() { compose exec -T querier-1 /usr/local/bin/yagura bucket ls 2>/dev/null | awk 'NR > 1 {print $1, $2}' | sort | tr '\n' ';'; }
until_same() {
    local n got
    for n in $(seq 240); do
        got=$("${@:3}" 2>/dev/null || true)
        if [ "$got" = "$2" ]; then echo "$1: $got"; return; fi
        sleep 1
    done
    fail "$1 is \"$got\", and \"$2\" is wanted"
}
same() { [ "$2" = "$3" ] && echo "$1: $2" || fail "$1 is \"$2\", and \"$3\" is wanted"; }
grafana() {
    local uid
    has grafana || return 0
    for uid in yagura-metrics yagura-logs; do
        same "Grafana's word on $uid" "$(ask --user admin:yagura "http://127.0.0.1:3000/api/datasources/uid/$uid/health" | grep -o '"status":"[^"]*"')" '"status":"OK"'
    done
}

use deploy/compose/single.yml
up "ready"
until_same "jobs that Prometheus finds up" "prometheus yagura" labels job 'up == 1'
push "line of one process"
until_same "lines" "line of one process;" lines '{app="verify"}'
grafana
compose down --timeout 45 >/dev/null 2>&1
up "ready again, after down,"
until_same "lines" "line of one process;" lines '{app="verify"}'
until_same "jobs with samples from before" "prometheus yagura" labels job 'timestamp(up offset 30s) and timestamp(up)'
compose down --volumes --timeout 45 >/dev/null 2>&1

use docker-compose.yml
up "ready"
compose ps --format 'table {{.Service}}\t{{.Status}}'
# Prometheus scrapes every process and writes through the load balancer; the answer comes from a querier.
until_same "processes of Yagura that Prometheus finds up" "${processes[*]}" labels service 'up{job="yagura"} == 1'
push "line of the whole"
until_same "lines" "line of the whole;" lines '{app="verify"}'
grafana
# What only the disks of ingesters have is there after all has been removed but the volumes.
compose down --timeout 45 >/dev/null 2>&1
up "ready again, after down,"
until_same "lines" "line of the whole;" lines '{app="verify"}'
until_same "processes that answer" "${processes[*]}" labels service 'up{job="yagura"} == 1'
# Rules: both rulers have a part in it, and what they record comes back as any series.
until_same "what a rule over metrics records" "1" value 'service:up:min{service="ingester-a"}'

# The log agent sees its lines, and is not to send them.
docker run --detach --name "$COMPOSE_PROJECT_NAME-other" yagura-stand-ins sh -c 'echo a container of others; exec sleep 3600' >/dev/null

# Any one of each kind may go.
compose kill ingester-b distributor-1 querier-2 ruler-1 >/dev/null 2>&1
push "line of two zones" || fail "a write with a zone missing"
until_same "lines without a zone" "line of the whole;line of two zones;" lines '{app="verify"}'
until_same "alerts that reach Alertmanager" "distributor-1 ingester-b querier-2 ruler-1" alerts ServiceDown
compose up --detach --no-build --pull never --wait --wait-timeout 120 "${services[@]}" >"$work/up.log" 2>&1 ||
    { cat "$work/up.log" >&2; fail "they do not come back"; }
until_same "lines with all of them again" "line of the whole;line of two zones;" lines '{app="verify"}'
until_same "alerts that are left" "" alerts ServiceDown
# To the bucket, and from there.
for zone in a b c; do
    docker run --rm --network "${COMPOSE_PROJECT_NAME}_default" yagura-stand-ins \
        wget -q -O /dev/null --post-data= "http://ingester-$zone:9009/flush" || fail "ingester-$zone does not flush"
done
until_same "what the bucket has" "anonymous logs;anonymous metrics;" in_bucket
until_same "lines" "line of the whole;line of two zones;" lines '{app="verify"}'
same "POST /flush to the load balancer" "$(in_engine curl --silent --output /dev/null --write-out '%{http_code}' --request POST $url/flush)" 404
if has fluent-bit; then
    until_same "what the log agent sends, and the rule over it records" "ingester-a" labels service \
        'count_over_time(service:log_lines:rate1m{service="ingester-a"}[10m])'
    same "lines of other containers" "$(lines '{job="docker"} |= "a container of others" | line_format "line of others"')" ""
fi
echo "memory at rest:"
docker stats --no-stream --format 'table {{.Name}}\t{{.MemUsage}}' | grep "$COMPOSE_PROJECT_NAME"
echo "all is well"
