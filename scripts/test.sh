#!/usr/bin/env bash
# Every check of the project, in the order of how soon each can fail. Needs a Rust toolchain; installs the rest.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n== %s\n' "$1"; }

# SQLite, ring and the allocator are built from C.
if ! command -v cc >/dev/null; then
    step 'installing a C compiler'
    apt-get update -q && apt-get install -qy --no-install-recommends gcc libc6-dev
fi
for component in rustfmt clippy; do
    if ! cargo "${component/rustfmt/fmt}" --version >/dev/null 2>&1; then
        step "installing $component"
        rustup component add "$component"
    fi
done
# The tests start throwaway clusters of their own. Debian's packages would make and start another one at once.
export BAOQIAO_PG_REQUIRED=1
if ! compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null && ! command -v initdb >/dev/null && [ -z "${BAOQIAO_PG_BIN:-}" ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        step 'installing PostgreSQL'
        export DEBIAN_FRONTEND=noninteractive
        apt-get update -q && apt-get install -qy --no-install-recommends postgresql-common
        sed -i 's/^#\?create_main_cluster .*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf
        apt-get install -qy --no-install-recommends postgresql
    else
        echo 'skipped: the tests on PostgreSQL (its server binaries are not installed)'
        export BAOQIAO_PG_REQUIRED=0
    fi
fi
# The crash suite cuts the power in what strace has seen.
if ! command -v strace >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    step 'installing strace'
    apt-get update -q && apt-get install -qy --no-install-recommends strace
fi
# It counts instructions.
if ! command -v valgrind >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    step 'installing valgrind'
    # Without it the counts are skipped, and say so.
    { apt-get update -q && apt-get install -qy --no-install-recommends valgrind; } || true
fi

step 'format'
cargo fmt --all --check

step 'clippy, warnings denied'
cargo clippy --workspace --all-targets --locked -- -D warnings

if cargo deny --version >/dev/null 2>&1; then
    step 'licences, bans, sources'
    cargo deny check --hide-inclusion-graph bans licenses sources
else
    echo 'skipped: cargo-deny is not installed (cargo install cargo-deny)'
fi
if cargo machete --version >/dev/null 2>&1; then
    step 'unused dependencies'
    cargo machete
else
    echo 'skipped: cargo-machete is not installed (cargo install cargo-machete)'
fi

step 'documentation'
RUSTDOCFLAGS='-D warnings -A rustdoc::private_intra_doc_links' cargo doc --workspace --no-deps --document-private-items --locked --quiet
cargo test --workspace --doc --locked --quiet

step 'tests'
if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --workspace --locked --no-fail-fast --status-level fail --final-status-level fail
else
    cargo test --workspace --all-targets --locked
fi

# With the binary that the tests were run against: built by itself it would have other features, and all of it be built anew.
step 'clients that others wrote, against the simulated platform'
scripts/third-party/run.sh

step 'the console, in a real browser'
scripts/browser/run.sh

# As README says it first, but for staying up; what is built for it is what the counts are taken of.
step 'the demo'
cargo run --release --locked --quiet -- demo --exit

step 'instructions of a call and of a document'
scripts/callgrind.sh

step 'crash suite, in short'
cargo test --workspace --test crash --locked --quiet -- --ignored --skip soak --nocapture
