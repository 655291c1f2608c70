#!/usr/bin/env bash
# Brings the programs that the tests need: Prometheus and node_exporter. Those on the PATH
# are used; else Debian's packages are downloaded and unpacked into target/tools. Nothing is
# installed, no service is started, and nobody has to be root.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=target/tools
root=$tools/root

have() {
    local name
    for name in "$@"; do
        if command -v "$name" >/dev/null || [ -x "$root/usr/bin/$name" ]; then return 0; fi
    done
    return 1
}

missing=()
have prometheus || missing+=(prometheus)
have prometheus-node-exporter node_exporter || missing+=(prometheus-node-exporter)
[ ${#missing[@]} -gt 0 ] || exit 0

give_up() {
    echo "The tests need ${missing[*]}, and $1." >&2
    echo "Install them (on Debian or Ubuntu: apt-get install ${missing[*]}) or put prometheus and" >&2
    echo "node_exporter on the PATH, then try again." >&2
    exit 1
}

for command in apt-get dpkg-deb; do
    command -v $command >/dev/null || give_up "there is no $command here to download them with"
done

packages=$tools/packages
mkdir -p "$packages" "$root"

download() { (cd "$packages" && apt-get -qq "$@" download "${missing[@]}"); }

# Package lists of our own, for a machine whose lists are missing or old and whose user may
# not renew them.
lists=$PWD/$tools/apt
own=(
    -o "Dir::State=$lists/state" -o "Dir::State::status=/var/lib/dpkg/status"
    -o "Dir::Cache=$lists/cache" -o "APT::Sandbox::User=$(id -un)"
)

echo "Bringing ${missing[*]} into $root"
if ! download -o "APT::Sandbox::User=$(id -un)" 2>/dev/null; then
    mkdir -p "$lists/state/lists/partial" "$lists/cache/archives/partial"
    apt-get -qq "${own[@]}" update || give_up "the package lists cannot be downloaded"
    download "${own[@]}" || give_up "the packages cannot be downloaded"
fi
for package in "$packages"/*.deb; do
    dpkg-deb -x "$package" "$root"
done
have prometheus && have prometheus-node-exporter node_exporter || give_up "their packages hold no such programs"
