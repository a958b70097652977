#!/usr/bin/env bash
# Measures, in one run and in turns, the gateway on SQLite and on PostgreSQL, a first version (axum + sqlx), a Node service
# (fastify + pg), and the gateway with a ledger that stores nothing. About ten minutes after the builds; all that it starts, ends with it.
#
#   scripts/bench.sh [--rounds N] [--seconds N] [--quick] [--write]
#
# --rounds   rounds of each measurement, of which medians are told (5)
# --seconds  how long each lasts (4)
# --quick    the closed loop alone
# --write    put tables and plots into docs/performance.md and docs/images
set -euo pipefail
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}

cargo build --release --locked -p baoqiao -p baoqiao-bench
cargo build --release --locked --manifest-path benches/first-version/Cargo.toml --target-dir "$target/first-version"
if command -v npm >/dev/null; then
    [ -d benches/node-service/node_modules ] || npm ci --prefix benches/node-service --no-audit --no-fund
else
    echo 'skipped: the Node service (npm is not installed)'
fi
exec timeout --verbose 3600 "$target/release/compare" "$target/release" "$target/first-version/release/first-version" "$@"
