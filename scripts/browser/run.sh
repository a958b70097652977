#!/usr/bin/env bash
# Drives the console in a real Chromium: every page, every action, the keyboard, both languages; no error in its console,
# no request to anywhere else, nothing that axe-core finds serious.
#
#   scripts/browser/run.sh [BINARY]        BINARY: target/debug/baoqiao unless given
#   scripts/browser/run.sh --screenshots [BINARY]    takes the pictures of docs/images anew instead
#
# playwright-core and axe-core are installed once, into target/browser; Chromium is Debian's, installed where there is
# none. Where one of them cannot be had, all is skipped and the reason printed; with BROWSER_REQUIRED=1 that is a failure.
set -euo pipefail

PACKAGES=(playwright-core@1.65.1 axe-core@4.14.1)

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
what=test
if [[ ${1:-} == --screenshots ]]; then
    what=screenshots
    shift
fi
binary=${1:-$target/debug/baoqiao}
home=$target/browser
mkdir -p "$home"

skip() {
    if [[ ${BROWSER_REQUIRED:-} == 1 ]]; then
        echo "browser: FAILED: $1" >&2
        exit 1
    fi
    echo "browser: SKIPPED: $1"
    exit 0
}

[[ -x $binary ]] || { echo "browser: $binary is not there; cargo build -p baoqiao makes it" >&2; exit 1; }
command -v node >/dev/null && command -v npm >/dev/null || skip 'there is no node with npm'
if ! command -v chromium >/dev/null; then
    apt-get update -q >"$home/apt.log" 2>&1 && apt-get install -qy --no-install-recommends chromium >>"$home/apt.log" 2>&1 ||
        skip "chromium is not installed and cannot be: $(tail -n 1 "$home/apt.log")"
fi
# Without a font of Chinese the pictures would show boxes.
if [[ $what == screenshots ]] && ! fc-list :lang=zh | grep -q .; then
    apt-get install -qy --no-install-recommends fonts-noto-cjk >>"$home/apt.log" 2>&1 || skip 'there is no Chinese font'
fi
stamp=$home/${PACKAGES[*]//\//_}
if [[ ! -f $stamp ]]; then
    rm -rf "$home/node_modules"
    npm install --prefix "$home" --no-audit --no-fund --fetch-retries 1 "${PACKAGES[@]}" >"$home/npm.log" 2>&1 ||
        skip "the packages cannot be installed: $(grep -m 1 'npm error' "$home/npm.log" || true)"
    touch "$stamp"
fi

export NODE_PATH=$home/node_modules BAOQIAO=$binary
if [[ $what == screenshots ]]; then
    exec node "$here/screenshots.js" "$root/docs/images"
fi
exec node --test --test-concurrency=1 "$here/console.test.js"
