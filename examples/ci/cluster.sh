#!/usr/bin/env bash
# What a CI server does with a cluster, without a question: ci/cluster.sh CLUSTER check|deploy
#
# check asks no host and needs no secret. deploy needs two secret variables of the CI server:
#   AGE_KEY   a key of its own that opens the secrets (docs/ci.rst)
#   SSH_KEY   a private key that logs in to the nodes
# The nodes' host keys are in inventories/CLUSTER.known_hosts, from the repository. An unknown or
# changed one is refused. NODRIZA: the wheel to install; without it nodriza is there already.
set -euo pipefail
exec </dev/null # whatever asks a question fails
cluster=$1 job=$2

umask 077
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ -n "${NODRIZA:-}" ]; then
    python3 -m venv "$work/venv"
    "$work/venv/bin/pip" install --quiet --disable-pip-version-check "$NODRIZA"
    PATH=$work/venv/bin:$PATH
fi
# In files that only this job can read, and no longer in the environment of what runs below.
if [ "$job" = deploy ]; then
    printf '%s\n' "$AGE_KEY" >"$work/age.key"
    printf '%s\n' "$SSH_KEY" >"$work/ssh.key"
    unset AGE_KEY SSH_KEY
    export NODRIZA_AGE_KEY_FILE=$work/age.key
fi
mkdir -p reports

case $job in
check)
    fab "$cluster" inventory.check
    fab "$cluster" plan >/dev/null
    fab "$cluster" doctor
    ;;
deploy)
    fab -i "$work/ssh.key" "$cluster" provision
    fab -i "$work/ssh.key" "$cluster" deploy
    fab -i "$work/ssh.key" "$cluster" smoke --junit reports/smoke.xml
    fab -i "$work/ssh.key" "$cluster" drift --junit reports/drift.xml
    ;;
*)
    echo "$0: CLUSTER check|deploy" >&2
    exit 2
    ;;
esac
