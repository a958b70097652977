# shellcheck shell=bash
# What the scripts that drive other people's software share: how it is installed, and what is said where it cannot be.
# Sourced, with `what`, the name before each line that is printed, and `home`, the folder for what is installed.

fail() {
    echo "$what: FAILED: $*" >&2
    exit 1
}

# Runs an installation; its first complaint becomes `reason` when it fails.
attempt() {
    local log=$home/install.log
    if ! "$@" >"$log" 2>&1; then
        # shellcheck disable=SC2034
        reason=$(grep -m 1 -E '^(npm error|WARNING:|ERROR:|E:)' "$log" || tail -n 1 "$log")
        return 1
    fi
}

# Installs Debian's packages, or tells in `reason` why not.
debian() {
    command -v apt-get >/dev/null || { reason="there is no $1 and no apt-get to install it"; return 1; }
    [[ $(id -u) == 0 ]] || { reason="there is no $1, and only root may install it"; return 1; }
    echo "$what: installing $*"
    attempt apt-get update -q || return 1
    attempt env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "$@"
}
