# Shared by the scripts in this folder: source it first.
set -euo pipefail

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
TOOLS="$ROOT/.tools"

say() { printf '== %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null; then sudo "$@"
    else die "need root for: $* (run it yourself, or install sudo)"; fi
}

# Installs the Debian packages named that are not there yet; says nothing when all are.
debian_packages() {
    local missing=() name
    for name in "$@"; do
        dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q '^install ok installed$' || missing+=("$name")
    done
    [ "${#missing[@]}" = 0 ] && return
    say "installing ${missing[*]}"
    # A container image may come without package lists; one that has them needs no refresh.
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq -o Dpkg::Use-Pty=0 --no-install-recommends "${missing[@]}" >&2 && return
    as_root apt-get update -qq >&2
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq -o Dpkg::Use-Pty=0 --no-install-recommends "${missing[@]}" >&2
}

need_swift() {
    command -v swift >/dev/null || die "no swift on the PATH; install Swift 6.2 or newer (swift.org/install)"
}

# `build release|debug PRODUCT...` builds them and sets `bin` to their folder. One set of options for every release build: others
# would make all modules anew.
build() {
    local configuration="$1" product options=()
    shift
    need_swift
    [ "$configuration" = debug ] || options=("${RELEASE_OPTIONS[@]}")
    say "swift build -c $configuration"
    for product in "$@"; do swift build -c "$configuration" "${options[@]}" --product "$product" >&2; done
    bin="$(swift build -c "$configuration" --show-bin-path)"
}

# What a release is built with besides -c release, for the memory that it takes (docs/benchmarks/README.md). Swift's libraries
# are linked in; each function can be dropped or moved by itself, and what a start runs lies side by side.
RELEASE_OPTIONS=(
    --static-swift-stdlib
    -Xswiftc -Xfrontend -Xswiftc -function-sections -Xswiftc -Xfrontend -Xswiftc -internalize-at-link
    -Xcc -ffunction-sections -Xcc -fdata-sections
    -Xswiftc -use-ld=lld -Xlinker --no-export-dynamic
    -Xlinker "--symbol-ordering-file=$ROOT/scripts/link-order.txt" -Xlinker --no-warn-symbol-ordering
)
# Relocations in a twentieth of the space, which the C library can read from 2.36 on.
if printf '2.36\n%s\n' "$(getconf GNU_LIBC_VERSION 2>/dev/null | cut -d' ' -f2)" | sort -C -V; then
    RELEASE_OPTIONS+=(-Xlinker -z -Xlinker pack-relative-relocs)
fi
