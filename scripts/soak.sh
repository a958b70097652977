#!/usr/bin/env bash
# The crash suite at length: campaigns of load and kills, one after the other, each on a new ledger, each judged at its end.
# Prints a line a round and a summary; ends with the first broken promise, and says where its ledger and logs lie.
# Before it, the simulation of the ledger from seeds that the checks do not run.
#
#   scripts/soak.sh [--minutes N] [--kills N] [--power-cuts N] [--seed N] [--release]
#
# --minutes     no round begins after so long (10)
# --kills       kills under load in each round (100)
# --power-cuts  power cuts in each round, in a life of its own (60); they need strace
# --seed        the first round's seed; each further round has the next (drawn at random)
# --release     the optimised binary, which takes several times the load
set -euo pipefail
cd "$(dirname "$0")/.."

profile=()
runs=20000
while [ $# -gt 0 ]; do
    case $1 in
        --minutes) export BAOQIAO_SOAK_MINUTES=${2:?} && shift 2 ;;
        --kills) export BAOQIAO_SOAK_KILLS=${2:?} && shift 2 ;;
        --power-cuts) export BAOQIAO_SOAK_POWER_CUTS=${2:?} && shift 2 ;;
        --seed) export BAOQIAO_CRASH_SEED=${2:?} && shift 2 ;;
        --runs) runs=${2:?} && shift 2 ;;
        --release) profile=(--release) && shift ;;
        *) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0" >&2 && exit 2 ;;
    esac
done

BAOQIAO_SIMULATION_SEED=${BAOQIAO_CRASH_SEED:-$((RANDOM << 30 | RANDOM << 15 | RANDOM))} BAOQIAO_SIMULATION_RUNS=$runs \
    cargo test "${profile[@]}" -p baoqiao-gateway --lib --locked --quiet -- \
    ledger::simulation::whatever_happens_the_ledger_is_what_the_model_says --exact --nocapture
cargo test "${profile[@]}" -p baoqiao --test crash --locked --no-run --quiet
# A round is a few minutes at the very most.
exec timeout --verbose $((${BAOQIAO_SOAK_MINUTES:-10} * 60 + 600)) \
    cargo test "${profile[@]}" -p baoqiao --test crash --locked --quiet -- --ignored --exact campaign::soak --nocapture
