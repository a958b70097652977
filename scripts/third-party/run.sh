#!/usr/bin/env bash
# Drives the other side of what we speak with software that others wrote and publish, as it comes from its registry, nothing
# in it changed: `baoqiao simulate platform` with the TOP clients taobaopy (PyPI) and node-taobao-topclient (npm), and the
# console's single sign-on with the OpenID provider oidc-provider (npm).
#
#   scripts/third-party/run.sh [BINARY]        BINARY: target/debug/baoqiao unless given
#
# Part of scripts/test.sh. They are installed once, into target/third-party; python3 and npm too where they are
# missing, by apt-get and only as root. What cannot be installed is skipped and the reason printed; with
# THIRD_PARTY_REQUIRED=1 that is a failure.
set -euo pipefail

TAOBAOPY='taobaopy==6.0.1'
TOPCLIENT='node-taobao-topclient@0.1.7'
PROVIDER='oidc-provider@8.8.1'
APP_KEY=12345678
APP_SECRET=helloworld

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
binary=${1:-$target/debug/baoqiao}
home=$target/third-party
venv=$home/venv
node=$home/node
provider=$home/provider
mkdir -p "$home"

what=third-party
# shellcheck source=scripts/installing.sh
source "$here/../installing.sh"

# Prints why a client is skipped, or fails where none may be.
skip() {
    if [[ ${THIRD_PARTY_REQUIRED:-} == 1 ]]; then
        fail "$1 is required and $2"
    fi
    echo "third-party: SKIPPED $1: $2"
}

install_taobaopy() {
    [[ -f $venv/$TAOBAOPY && -x $venv/bin/python ]] && return
    # Debian has parts of the standard library in a package of their own.
    if ! python3 -c 'import venv, ensurepip' 2>/dev/null; then
        debian python3 python3-venv || return 1
    fi
    rm -rf "$venv"
    attempt python3 -m venv "$venv" || return 1
    attempt "$venv/bin/pip" install --disable-pip-version-check --retries 1 --timeout 15 "$TAOBAOPY" || return 1
    touch "$venv/$TAOBAOPY"
}

# Installs a package of npm's into a folder of its own.
install_from_npm() {
    local folder=$1 package=$2
    [[ -f $folder/$package ]] && command -v node >/dev/null && return
    if ! command -v npm >/dev/null || ! command -v node >/dev/null; then
        debian npm || return 1
    fi
    rm -rf "$folder"
    mkdir -p "$folder"
    attempt npm install --prefix "$folder" --no-audit --no-fund --fetch-retries 1 "$package" || return 1
    touch "$folder/$package"
}

[[ -x $binary ]] || fail "$binary is not there; cargo build -p baoqiao makes it"

clients=()
reason=
if install_taobaopy; then clients+=(taobaopy); else skip taobaopy "it could not be installed: $reason"; fi
if install_from_npm "$node" "$TOPCLIENT"; then clients+=(topclient); else skip node-taobao-topclient "it could not be installed: $reason"; fi

# Each client has a platform of its own, so that each sees only its own calls.
drive() {
    local name=$1
    shift
    local line status=0
    coproc PLATFORM {
        exec "$binary" simulate platform --listen 127.0.0.1:0 --app "$APP_KEY:$APP_SECRET" \
            --scenario "$here/scenario.toml"
    }
    local pid=$PLATFORM_PID
    # shellcheck disable=SC2064
    trap "kill $pid 2>/dev/null || true" EXIT
    read -r -t 30 -u "${PLATFORM[0]}" line || fail 'the platform did not say where it listens'
    local url=${line#listening on }
    [[ $url == http://* ]] || fail "not what a platform says: $line"
    "$@" "$url" "$APP_KEY" "$APP_SECRET" || status=$?
    kill "$pid"
    wait "$pid" 2>/dev/null || true
    trap - EXIT
    [[ $status == 0 ]] || fail "$name ended with status $status"
    echo "third-party: $name is satisfied"
}

# Both clients stamp their calls with the local time, which the platform reads as GMT+8.
for client in "${clients[@]}"; do
    case $client in
    taobaopy) TZ=CST-8 drive "$TAOBAOPY" "$venv/bin/python" "$here/taobao_client.py" ;;
    topclient) TZ=Asia/Shanghai NODE_PATH=$node/node_modules drive "$TOPCLIENT" node "$here/top_client.js" ;;
    esac
done

if install_from_npm "$provider" "$PROVIDER"; then
    NODE_PATH=$provider/node_modules timeout --verbose 120 node "$here/oidc_provider.js" "$binary" || fail "$PROVIDER ended with status $?"
    echo "third-party: $PROVIDER is satisfied"
else
    skip oidc-provider "it could not be installed: $reason"
fi
