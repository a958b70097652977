#!/usr/bin/env bash
# Counts the instructions of one issuing call under valgrind, without and with SQLite, and fails where they have grown past the
# limits below: seconds swing on a shared machine, instructions hardly do. The difference of two counts leaves the start out.
#
#   scripts/callgrind.sh [--show]    --show lists what costs most
set -euo pipefail
cd "$(dirname "$0")/.."

# Thousands of instructions a call, some 10 % above what was last counted; lower them when it gets cheaper.
limit_storing_nothing=590
limit_sqlite=910

if ! command -v valgrind >/dev/null; then
    echo 'skipped: instruction counts (valgrind is not installed)'
    exit 0
fi
target=${CARGO_TARGET_DIR:-target}
cargo build --release --locked --quiet -p baoqiao -p baoqiao-bench
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$target/release/baoqiao" init --dir "$folder" --listen 127.0.0.1:0 --app-key 24589063 --secret helloworld >/dev/null

# Instructions of so many calls, start and end included.
count() {
    local calls=$1 ledger=${2:-}
    valgrind --tool=callgrind --callgrind-out-file="$folder/out.$calls" "$target/release/calls" "$folder/baoqiao.toml" "$calls" \
        ${ledger:+"$folder/$ledger.$calls.db"} 2>&1 | sed -n 's/.*Collected : \([0-9]*\).*/\1/p'
}
failed=0
for kind in nothing sqlite; do
    ledger=${kind/nothing/}
    few=$(count 100 "$ledger")
    many=$(count 300 "$ledger")
    thousands=$(((many - few) / 200000))
    limit=$limit_storing_nothing
    [ "$kind" = nothing ] || limit=$limit_sqlite
    echo "a call, storing $kind: $thousands thousand instructions (limit $limit)"
    [ "$thousands" -le "$limit" ] || failed=1
    [ "${1:-}" != --show ] || callgrind_annotate "$folder/out.300" | sed -n '/file:function/,$p' | head -45
done
exit "$failed"
