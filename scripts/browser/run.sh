#!/usr/bin/env bash
# Drives the console in a real Chromium: every page, every action, the keyboard, both languages and themes; no error in the
# browser's console, no request to anywhere else, nothing that axe-core finds serious.
#
#   scripts/browser/run.sh [BINARY]                  BINARY: target/debug/baoqiao unless given
#   scripts/browser/run.sh --screenshots [BINARY]    takes the pictures of docs/images/console anew instead
#
# Part of scripts/test.sh. playwright-core and axe-core are installed once, into target/browser; Chromium, node and, for
# pictures, a Chinese font are Debian's, installed where they are missing, by apt-get and only as root. What cannot be
# installed is why all is skipped, and printed; with BROWSER_REQUIRED=1 that is a failure.
set -euo pipefail

PLAYWRIGHT='playwright-core@1.65.1'
AXE='axe-core@4.14.1'
# All tests together; they take about two minutes on two cores.
LIMIT_S=600

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
takes_pictures=
if [[ ${1:-} == --screenshots ]]; then
    takes_pictures=1
    shift
fi
binary=${1:-$target/debug/baoqiao}
home=$target/browser-tests
mkdir -p "$home"

what=browser
# shellcheck source=scripts/installing.sh
source "$here/../installing.sh"

skip() {
    if [[ ${BROWSER_REQUIRED:-} == 1 ]]; then
        fail "the tests are required and $1"
    fi
    echo "browser: SKIPPED: $1"
    exit 0
}

install_packages() {
    local stamp="$home/$PLAYWRIGHT+$AXE"
    [[ -f $stamp ]] && return
    rm -rf "$home/node_modules" "$home"/playwright-core@*
    attempt npm install --prefix "$home" --no-audit --no-fund --ignore-scripts --fetch-retries 1 "$PLAYWRIGHT" "$AXE" ||
        return 1
    touch "$stamp"
}

[[ -x $binary ]] || fail "$binary is not there; cargo build -p baoqiao makes it"
reason=
if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    debian npm || skip "node could not be installed: $reason"
fi
if ! command -v chromium >/dev/null; then
    debian chromium || skip "Chromium could not be installed: $reason"
fi
if [[ -n $takes_pictures ]] && ! fc-list :lang=zh | grep -q .; then
    debian fonts-noto-cjk || skip "a Chinese font could not be installed: $reason"
fi
install_packages || skip "$PLAYWRIGHT and $AXE could not be installed: $reason"

export NODE_PATH=$home/node_modules BAOQIAO=$binary CHROMIUM
CHROMIUM=$(command -v chromium)
if [[ -n $takes_pictures ]]; then
    exec timeout --kill-after=10 "$LIMIT_S" node "$here/screenshots.js" "$root/docs/images/console"
fi

# What they print goes to the screen as well as into the report, from which the summary is made.
report=$home/report.tap
status=0
timeout --kill-after=10 "$LIMIT_S" node --test --test-concurrency=1 \
    --test-reporter=spec --test-reporter-destination=stdout \
    --test-reporter=tap --test-reporter-destination="$report" \
    "$here"/*.test.js || status=$?
count() { sed -n "s/^# $1 //p" "$report" | tail -n 1; }
[[ $status != 124 ]] || fail "the tests took longer than $LIMIT_S s"
[[ $status == 0 ]] || fail "$(count fail) of $(count tests) tests"
echo "browser: $(count pass) tests passed in Chromium ($PLAYWRIGHT, $AXE)"
