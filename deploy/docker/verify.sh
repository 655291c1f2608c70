#!/usr/bin/env bash
# Builds the image with a real Docker engine and runs it as hard as it may be run: no root, nothing writable but
# /data, no capabilities. Says what it saw, and fails with the first thing that is not as it should be.
#
# verify.sh                   the whole Dockerfile
# verify.sh --binary FILE     only what is behind the compiler, around this program
# Both leave the image as yagura:verify in an engine that ran before, and in the file SAVE if that is set. Base
# images are what the engine has or gets. One of our own asks no registry: there they are made of Debian's packages
# and of the Rust of this machine.
set -euo pipefail
cd "$(dirname "$0")/../.."
. deploy/docker/engine.sh

binary=
case "${1:-}" in
    "") ;;
    --binary) binary=$(realpath "$2") ;;
    *) sed -n '2,9s/^# //p' "$0"; exit 2 ;;
esac

work=$(mktemp -d)
name=yagura-verify-$$
image=yagura:verify
clean() {
    docker rm --force --volumes "$name" >/dev/null 2>&1 || true
    docker volume rm "$name" >/dev/null 2>&1 || true
    engine_stop
    rm -rf "$work"
}
trap clean EXIT
fail() {
    echo "NOT SO: $*" >&2
    docker logs --tail 20 "$name" >&2 2>/dev/null || true
    exit 1
}
same() { [ "$2" = "$3" ] && echo "$1: $2" || fail "$1 is $2, and $3 is wanted"; }

# The name of a base image in the Dockerfile.
base_name() { sed -n "s/^ARG $1=//p" deploy/docker/Dockerfile; }
# Makes a base image under its name if the engine has none.
bases_made=
base() {
    local name root=$work/$1
    name=$(base_name "$1")
    if docker image inspect "$name" >/dev/null 2>&1; then return; fi
    "make_$1" "$root"
    engine_import "$name" "$root" "${changes[@]}"
    rm -rf "$root"
    bases_made+=" $name"
}
# What distroless is made of: these packages, unpacked.
make_RUNTIME_IMAGE() {
    local package
    mkdir -p "$1/etc/ssl/certs" "$1/tmp" "$work/debs"
    (cd "$work/debs" && apt-get -qq -o APT::Sandbox::User=root download base-files ca-certificates gcc-12-base libc6 libgcc-s1 libstdc++6 netbase tzdata)
    for package in "$work"/debs/*.deb; do dpkg-deb -x "$package" "$1"; done
    cat "$1"/usr/share/ca-certificates/mozilla/*.crt >"$1/etc/ssl/certs/ca-certificates.crt"
    rm -rf "$1/usr/share/doc" "$1/usr/share/man"
    changes=('ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt')
}
# Debian, and the Rust that is here. It trusts whom this machine trusts, for it is in the same network.
make_BUILD_IMAGE() {
    local rust
    rust=$(rustc --print sysroot) || fail "there is no Rust here to make $(base_name BUILD_IMAGE) of"
    engine_debian "$1" ca-certificates,gcc,libc6-dev
    mkdir -p "$1/usr/local/cargo"
    cp -r "$rust/bin" "$rust/lib" "$1/usr/local"
    cat /etc/ssl/certs/ca-certificates.crt >"$1/etc/ssl/certs/ca-certificates.crt"
    changes=('ENV CARGO_HOME=/usr/local/cargo' 'ENV PATH=/usr/local/cargo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin')
}

engine_start "$work/engine"
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
given=()
if [ -n "$binary" ]; then
    out=$work/given/out
    install -D "$binary" "$out/root/usr/local/bin/yagura"
    strip --strip-debug "$out/root/usr/local/bin/yagura"
    install -D --mode=0644 deploy/docker/yagura.yaml "$out/root/etc/yagura/yagura.yaml"
    mkdir "$out/data"
    engine_import yagura-given:verify "$work/given"
    given=(--build-arg PROGRAM=yagura-given:verify)
fi
if [ -n "${ENGINE_NAMESPACE:-}" ]; then
    base RUNTIME_IMAGE
    [ -n "$binary" ] || { base BUILD_IMAGE; engine_uplink; }
fi
[ -z "$bases_made" ] || echo "bases made here:$bases_made"
began=$(date +%s)
docker build --progress plain --file deploy/docker/Dockerfile --build-arg "REVISION=$revision" "${given[@]}" --tag $image . \
    >"$work/build.log" 2>&1 || { tail -n 40 "$work/build.log" >&2; fail "it does not build"; }
echo "built within: $(($(date +%s) - began)) s"
if [ -n "${SAVE:-}" ]; then docker save --output "$SAVE" $image; fi

label() { docker image inspect --format "{{index .Config.Labels \"org.opencontainers.image.$1\"}}" $image; }
same "label revision" "$(label revision)" "$revision"
same "label licenses" "$(label licenses)" Apache-2.0
same "label title" "$(label title)" Yagura
same "label version" "$(label version)" "$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)"
same "user of the image" "$(docker image inspect --format '{{.Config.User}}' $image)" 10001:10001
size=$(docker image inspect --format '{{.Size}}' $image)
echo "size: $((size / 1000000)) MB"

if [ -n "$binary" ]; then
    echo "version: $(docker run --rm $image --version)"
else
    same "version" "$(docker run --rm $image --version)" "yagura $(label version) (revision $revision)"
fi
docker run --rm --read-only $image --check-config >/dev/null || fail "the configuration in the image is not good"
hardened=(--read-only --cap-drop ALL --security-opt no-new-privileges --pids-limit 512 --memory 1g)
docker volume create "$name" >/dev/null
start() {
    docker run --detach --name "$name" "${hardened[@]}" --volume "$name:/data" --publish 127.0.0.1::9009 $image "$@" >/dev/null
    url=http://$(docker port "$name" 9009/tcp 2>/dev/null) || fail "it ended at once"
}
ask() { in_engine curl --silent --show-error --fail --max-time 10 "$@"; }
wait_for() {
    local what=$1 n
    shift
    for n in $(seq 150); do
        if "$@" >/dev/null 2>&1; then return; fi
        sleep 0.2
    done
    fail "$what within 30 s"
}
health() { docker inspect --format '{{.State.Health.Status}}' "$name"; }
healthy() { [ "$(health)" = healthy ]; }

start
wait_for "no 200 of /ready" ask "$url/ready"
echo "ready: $(ask "$url/ready" | tr '\n' ' ')"
# Of the process itself, and of what it writes.
pid=$(docker inspect --format '{{.State.Pid}}' "$name")
same "uid" "$(awk '/^Uid:/ {print $2 " " $3}' "/proc/$pid/status")" "10001 10001"
same "gid" "$(awk '/^Gid:/ {print $2 " " $3}' "/proc/$pid/status")" "10001 10001"
same "capabilities" "$(awk '/^CapEff:|^CapBnd:/ {printf "%s ", $2}' "/proc/$pid/status")" "0000000000000000 0000000000000000 "
same "no new privileges" "$(awk '/^NoNewPrivs:/ {print $2}' "/proc/$pid/status")" 1
same "root read-only" "$(docker inspect --format '{{.HostConfig.ReadonlyRootfs}}' "$name")" true
if docker exec "$name" /bin/sh -c true >/dev/null 2>&1; then echo "shell: there is one"; else echo "shell: none"; fi

# A sample and a line in, and out again.
now=$(date +%s)
push_sample() {
    ask --header 'Content-Type: application/json' --data '{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"verify_value","gauge":{"dataPoints":[{"timeUnixNano":"'"$now"'000000000","asDouble":42}]}}]}]}]}' "$url/otlp/v1/metrics" >/dev/null
}
push_line() {
    ask --header 'Content-Type: application/json' --data '{"streams":[{"stream":{"app":"verify"},"values":[["'"$now"'000000000","a line that stays"]]}]}' "$url/loki/api/v1/push"
}
sample() { ask --get --data-urlencode 'query=verify_value' --data "time=$((now + 1))" "$url/api/v1/query" | grep -o '"value":\[[^]]*\]'; }
line() { ask --get --data-urlencode 'query={app="verify"}' --data "start=$((now - 60))" --data "end=$((now + 60))" "$url/loki/api/v1/query_range" | grep -o 'a line that stays'; }
push_sample || fail "the sample is not taken"
push_line || fail "the line is not taken"
same "sample" "$(sample)" "\"value\":[$((now + 1)),\"42\"]"
same "line" "$(line)" "a line that stays"

if docker exec "$name" /usr/local/bin/yagura ready --help >/dev/null 2>&1; then
    wait_for "health is $(health), not healthy" healthy
    same "health" "$(health)" healthy
else
    # A program that is older than the health check.
    echo "health: not tried, this program has no \`yagura ready\`"
fi

# SIGTERM, as process 1; then a new container on the same data; then SIGKILL.
began=$(date +%s)
docker stop --time 45 "$name" >/dev/null
same "exit code after SIGTERM" "$(docker inspect --format '{{.State.ExitCode}}' "$name")" 0
echo "stopped within: $(($(date +%s) - began)) s"
docker rm "$name" >/dev/null
start --set log.level=warn
wait_for "no 200 of /ready after a restart" ask "$url/ready"
same "sample after a new container" "$(sample)" "\"value\":[$((now + 1)),\"42\"]"
same "line after a new container" "$(line)" "a line that stays"
docker kill "$name" >/dev/null
docker start "$name" >/dev/null
url=http://$(docker port "$name" 9009/tcp)
wait_for "no 200 of /ready after SIGKILL" ask "$url/ready"
same "sample after SIGKILL" "$(sample)" "\"value\":[$((now + 1)),\"42\"]"
same "line after SIGKILL" "$(line)" "a line that stays"
echo "all is well"
