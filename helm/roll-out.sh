#!/usr/bin/env bash
# Replaces the ingesters of a release whose pods are not as its StatefulSets want them, one zone after the
# other: a zone is begun when every ingester of every zone is ready. Stops at the first that does not become so.
#
# roll-out.sh [--namespace NAMESPACE] [--context CONTEXT] [--timeout SECONDS] RELEASE
set -euo pipefail

usage() {
    echo "usage: $0 [--namespace NAMESPACE] [--context CONTEXT] [--timeout SECONDS] RELEASE" >&2
    exit 2
}

kubectl=("${KUBECTL:-kubectl}")
timeout=1800
release=
while [ $# -gt 0 ]; do
    case $1 in
        --namespace | --context) [ $# -gt 1 ] || usage; kubectl+=("$1=$2"); shift 2 ;;
        --timeout) [ $# -gt 1 ] || usage; timeout=$2; shift 2 ;;
        -*) usage ;;
        *) [ -z "$release" ] || usage; release=$1; shift ;;
    esac
done
[ -n "$release" ] || usage
ingesters="app.kubernetes.io/name=yagura,app.kubernetes.io/instance=$release,app.kubernetes.io/component=ingester"

# Fields of a StatefulSet.
fields() { "${kubectl[@]}" get statefulset "$1" --output "jsonpath=$2"; }

# What keeps a zone from being whole, or nothing. Pods are counted by themselves: what the StatefulSet says
# of them may be from before they were deleted.
missing() {
    local zone generation observed wanted ready
    read -r zone generation observed wanted < <(fields "$1" \
        '{.spec.template.metadata.labels.yagura/zone} {.metadata.generation} {.status.observedGeneration} {.spec.replicas}{"\n"}')
    if [ "$observed" != "$generation" ]; then
        echo "$1 has changed, and Kubernetes has not looked at it yet"
        return
    fi
    ready=$("${kubectl[@]}" get pods --selector "$ingesters,yagura/zone=$zone" --output \
        'jsonpath={range .items[*]}{.metadata.deletionTimestamp}{.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}' | grep -cx True || true)
    if [ "$ready" != "$wanted" ]; then echo "$1 has $ready of $wanted ingesters ready"; fi
}

# Waits until nothing is missing in any zone.
settle() {
    local name why since=$SECONDS
    while :; do
        why=
        for name in "${zones[@]}"; do
            why=$(missing "$name")
            [ -z "$why" ] || break
        done
        [ -n "$why" ] || return 0
        if [ $((SECONDS - since)) -ge "$timeout" ]; then
            echo "$why, for $timeout s: nothing more is replaced. Look at it, then run this again." >&2
            exit 1
        fi
        sleep "${POLL_SECONDS:-5}"
    done
}

# The pods of a zone that are of an older revision.
outdated() {
    local zone revision
    read -r zone revision < <(fields "$1" '{.spec.template.metadata.labels.yagura/zone} {.status.updateRevision}{"\n"}')
    "${kubectl[@]}" get pods --selector "$ingesters,yagura/zone=$zone,controller-revision-hash!=$revision" --output name
}

mapfile -t zones < <("${kubectl[@]}" get statefulsets --selector "$ingesters,yagura/zone" --output "jsonpath={range .items[*]}{.metadata.name}{'\n'}{end}" | sort)
if [ ${#zones[@]} -eq 0 ]; then
    echo "the release $release has no zones of ingesters here: name its namespace with --namespace, or there is nothing to do, as Kubernetes replaces ingesters without zones by itself" >&2
    exit 1
fi
for name in "${zones[@]}"; do
    settle
    mapfile -t pods < <(outdated "$name")
    if [ ${#pods[@]} -eq 0 ]; then
        echo "$name: nothing to replace"
        continue
    fi
    echo "$name: replacing ${#pods[@]}"
    # `settle` waits. What kubectl waits for may never end, as pods of the same names are there again.
    "${kubectl[@]}" delete --wait=false "${pods[@]}"
done
settle
echo "all ingesters of $release are as they should be"
