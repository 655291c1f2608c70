# For scripts to source: a Docker engine to try images with. One that runs is used; else one is started in a
# folder and namespaces of its own and ended with the script. It needs root and Debian's packages. Nothing is
# installed.
#
# engine_start FOLDER    then `docker` works
# engine_uplink          then what is built in it reaches the network, as it does in an engine that ran before
# engine_debian FOLDER PACKAGE,...         makes a folder Debian's root with these packages
# engine_import NAME FOLDER [CHANGE...]    makes a folder an image
# in_engine COMMAND...   runs a command where the engine's published ports are
# engine_stop            ends it, if it is one of our own

engine_pid=
engine_folder=
engine_uplink_pid=
engine_etc_docker=

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
    # What is published or forwarded stays in the namespaces, and so do the engine's rules, mounts and sockets.
    [ -d /etc/docker ] || { mkdir /etc/docker; engine_etc_docker=ours; }
    PATH=$root/usr/bin:$root/usr/sbin:$root/sbin:$PATH LD_LIBRARY_PATH=$libraries XTABLES_LIBDIR=$libraries/xtables \
        unshare --net --mount -- sh -c '
            mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /etc/docker && ip link set lo up && exec "$@"' engine \
        dockerd --host "unix://$engine_folder/docker.sock" --data-root "$engine_folder/data" --dns 10.0.2.3 \
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

engine_debian() {
    engine_bring debootstrap
    DEBOOTSTRAP_DIR=$engine_folder/root/usr/share/debootstrap "$engine_folder/root/usr/sbin/debootstrap" \
        --variant=minbase --include="$2" bookworm "$1" >"$engine_folder/debootstrap.log" 2>&1 ||
        { tail -n 5 "$engine_folder/debootstrap.log" >&2; return 1; }
}

engine_import() {
    local name=$1 folder=$2 change changes=()
    shift 2
    for change in "$@"; do changes+=(--change "$change"); done
    tar -C "$folder" --numeric-owner --owner 0 --group 0 -c . | docker import "${changes[@]}" - "$name" >/dev/null
}

# Connections of the namespace become connections of this machine's processes, and 10.0.2.3 is its resolver.
engine_uplink() {
    [ -n "${ENGINE_NAMESPACE:-}" ] || return 0
    engine_bring slirp4netns libslirp0 libglib2.0-0 libseccomp2
    local libraries=$engine_folder/root/usr/lib/$(uname -m)-linux-gnu
    LD_LIBRARY_PATH=$libraries "$engine_folder/root/usr/bin/slirp4netns" --configure --disable-host-loopback \
        "$ENGINE_NAMESPACE" tap0 >"$engine_folder/uplink.log" 2>&1 &
    engine_uplink_pid=$!
    local n
    for n in $(seq 50); do
        if [ -n "$(in_engine ip route show default)" ]; then return; fi
        sleep 0.1
    done
    tail -n 5 "$engine_folder/uplink.log" >&2
    echo "the engine gets no way out" >&2
    return 1
}

in_engine() {
    if [ -n "${ENGINE_NAMESPACE:-}" ]; then nsenter --net --target "$ENGINE_NAMESPACE" -- "$@"; else "$@"; fi
}

engine_stop() {
    local pid
    for pid in $engine_uplink_pid $engine_pid; do
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    [ -z "$engine_etc_docker" ] || rmdir /etc/docker 2>/dev/null || true
    engine_pid= engine_uplink_pid= engine_etc_docker=
}
