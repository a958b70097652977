#!/usr/bin/env bash
# Counts the instructions of one issuing call under valgrind, without and with SQLite, and of one document, and fails where they
# have grown past the limits below: seconds swing on a shared machine, instructions hardly do. The difference of two counts
# leaves the start out.
#
#   scripts/callgrind.sh [--show]    --show lists what costs most
set -euo pipefail
cd "$(dirname "$0")/.."

# Thousands of instructions, some 10 % above what was last counted; lower them when it gets cheaper.
declare -A limits=([nothing]=720 [sqlite]=960 [document]=87000)

if ! command -v valgrind >/dev/null; then
    echo 'skipped: instruction counts (valgrind is not installed)'
    exit 0
fi
target=${CARGO_TARGET_DIR:-target}
cargo build --release --locked --quiet -p baoqiao -p baoqiao-bench
cargo build --release --locked --quiet -p baoqiao-documents --example render_sample
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$target/release/baoqiao" init --dir "$folder" --listen 127.0.0.1:0 --app-key 24589063 --secret helloworld >/dev/null

# Instructions of so many calls or documents, start and end included.
count() {
    local kind=$1 number=$2 command
    case $kind in
        nothing) command=("$target/release/calls" "$folder/baoqiao.toml" "$number") ;;
        sqlite) command=("$target/release/calls" "$folder/baoqiao.toml" "$number" "$folder/ledger.$number.db") ;;
        document) command=("$target/release/examples/render_sample" "$folder/sample.pdf" "$number") ;;
    esac
    valgrind --tool=callgrind --callgrind-out-file="$folder/$kind.$number" "${command[@]}" 2>&1 >/dev/null |
        sed -n 's/.*Collected : \([0-9]*\).*/\1/p'
}

failed=0
# Of each kind, how many are counted first and how many then.
for measured in 'nothing 100 300' 'sqlite 100 300' 'document 2 8'; do
    read -r kind few many <<<"$measured"
    # One by one: a program that fails under valgrind ends the script here, and its short count passes for nothing.
    less=$(count "$kind" "$few")
    more=$(count "$kind" "$many")
    thousands=$(((more - less) / (many - few) / 1000))
    case $kind in
        document) what='a document' ;;
        *) what="a call, storing $kind" ;;
    esac
    echo "$what: $thousands thousand instructions (limit ${limits[$kind]})"
    [ "$thousands" -gt 0 ] && [ "$thousands" -le "${limits[$kind]}" ] || failed=1
    [ "${1:-}" != --show ] || callgrind_annotate "$folder/$kind.$many" | sed -n '/file:function/,$p' | head -45
done
exit "$failed"
