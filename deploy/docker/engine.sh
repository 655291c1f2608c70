# For scripts to source: a Docker engine to try images with. One that runs is used; else one is started in a
# folder and network namespace of its own and ended with the script. It needs root, and Debian's packages if
# there is no dockerd. Nothing is installed.
#
# engine_start FOLDER    then `docker` works
# engine_import NAME FOLDER [CHANGE...]    makes a folder an image
# in_engine COMMAND...   runs a command where the engine's published ports are

engine_pid=
engine_folder=

engine_start() {
    engine_folder=$1
    mkdir -p "$engine_folder"
    if command -v docker >/dev/null && docker info >/dev/null 2>&1; then
        echo "engine: the one that runs here, $(docker version --format '{{.Server.Version}}')"
        return
    fi
    [ "$(id -u)" = 0 ] || { echo "there is no Docker engine here that you may use, and to start one takes root" >&2; return 1; }
    engine_bring docker.io containerd runc iptables libip4tc2 libip6tc2 libnetfilter-conntrack3 libnfnetlink0 libnftnl11 libxtables12
    local root=$engine_folder/root
    local libraries=$root/usr/lib/$(uname -m)-linux-gnu
    ln -sf iptables-legacy "$root/usr/sbin/iptables"
    ln -sf ip6tables-legacy "$root/usr/sbin/ip6tables"
    # What is published or forwarded stays in the namespace, and so do the engine's rules.
    PATH=$root/usr/bin:$root/usr/sbin:$root/sbin:$PATH LD_LIBRARY_PATH=$libraries XTABLES_LIBDIR=$libraries/xtables \
        unshare --net -- sh -c 'ip link set lo up && exec "$@"' engine \
        dockerd --host "unix://$engine_folder/docker.sock" --data-root "$engine_folder/data" \
        --exec-root "$engine_folder/run" --pidfile "$engine_folder/pid" >"$engine_folder/log" 2>&1 &
    engine_pid=$!
    # Scripts that this one starts use the same engine.
    export ENGINE_NAMESPACE=$engine_pid
    export DOCKER_HOST=unix://$engine_folder/docker.sock DOCKER_CONFIG=$engine_folder/config
    # Its own client, for newer ones build only with a plugin.
    export PATH=$root/usr/bin:$PATH DOCKER_BUILDKIT=1
    local n
    for n in $(seq 60); do
        if docker info >/dev/null 2>&1; then
            echo "engine: our own, $(docker version --format '{{.Server.Version}}')"
            return
        fi
        kill -0 "$engine_pid" 2>/dev/null || break
        sleep 0.5
    done
    tail -n 20 "$engine_folder/log" >&2
    echo "the Docker engine did not start" >&2
    return 1
}

# Unpacks Debian packages into $engine_folder/root.
engine_bring() {
    mkdir -p "$engine_folder/root" "$engine_folder/packages"
    (cd "$engine_folder/packages" && apt-get -qq -o APT::Sandbox::User=root download "$@") ||
        { echo "cannot download Debian's packages $*: apt-get update?" >&2; return 1; }
    local package
    for package in "$engine_folder"/packages/*.deb; do dpkg-deb -x "$package" "$engine_folder/root"; done
    rm -r "$engine_folder/packages"
}

engine_import() {
    local name=$1 folder=$2 change changes=()
    shift 2
    for change in "$@"; do changes+=(--change "$change"); done
    tar -C "$folder" --numeric-owner --owner 0 --group 0 -c . | docker import "${changes[@]}" - "$name" >/dev/null
}

in_engine() {
    if [ -n "${ENGINE_NAMESPACE:-}" ]; then nsenter --net --target "$ENGINE_NAMESPACE" -- "$@"; else "$@"; fi
}

engine_stop() {
    [ -n "$engine_pid" ] || return 0
    kill "$engine_pid" 2>/dev/null || true
    wait "$engine_pid" 2>/dev/null || true
    engine_pid=
}
