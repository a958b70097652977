#!/usr/bin/env bash
# The crash suite at length: rounds of load and blows, one after the other, each on a new ledger, each judged at its end.
# Prints a line a round and a summary; ends with the first broken promise, and says where its logs lie.
# Before it, the simulation of the ledger from seeds that the checks do not run.
#
#   scripts/soak.sh [--engine sqlite|postgres] [--nodes N] [--minutes N] [--blows N] [--power-cuts N] [--runs N]
#                   [--seed N] [--release]
#
# --engine      where the ledger is kept (sqlite)
# --nodes       gateways on one ledger; more than one on postgres alone (1)
# --minutes     no round begins after so long (10)
# --blows       blows in each round: kills of gateways, and of what else the engine stands on (100)
# --power-cuts  on sqlite, power cuts in each round, in a life of its own (60); they need strace
# --runs        runs of the simulation (20000); with 0 there are none
# --seed        the first round's seed; each further round has the next (drawn at random)
# --release     the optimised binary, which takes several times the load
set -euo pipefail
cd "$(dirname "$0")/.."

profile=()
runs=20000
while [ $# -gt 0 ]; do
    case $1 in
        --engine) export BAOQIAO_SOAK_ENGINE=${2:?} && shift 2 ;;
        --nodes) export BAOQIAO_SOAK_NODES=${2:?} && shift 2 ;;
        --minutes) export BAOQIAO_SOAK_MINUTES=${2:?} && shift 2 ;;
        --blows) export BAOQIAO_SOAK_BLOWS=${2:?} && shift 2 ;;
        --power-cuts) export BAOQIAO_SOAK_POWER_CUTS=${2:?} && shift 2 ;;
        --runs) runs=${2:?} && shift 2 ;;
        --seed) export BAOQIAO_CRASH_SEED=${2:?} && shift 2 ;;
        --release) profile=(--release) && shift ;;
        *) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0" >&2 && exit 2 ;;
    esac
done

if [ "$runs" != 0 ]; then
    BAOQIAO_SIMULATION_SEED=${BAOQIAO_CRASH_SEED:-$((RANDOM << 30 | RANDOM << 15 | RANDOM))} BAOQIAO_SIMULATION_RUNS=$runs \
        cargo test "${profile[@]}" --workspace --lib --locked --quiet -- \
        ledger::simulation::whatever_happens_the_ledger_is_what_the_model_says --exact --nocapture
fi
export BAOQIAO_PG_REQUIRED=1
cargo test "${profile[@]}" --workspace --test crash --locked --no-run --quiet
# A round is a few minutes at the very most.
exec timeout --verbose $((${BAOQIAO_SOAK_MINUTES:-10} * 60 + 600)) \
    cargo test "${profile[@]}" --workspace --test crash --locked --quiet -- --ignored --exact runs::soak --nocapture
