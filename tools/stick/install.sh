#!/bin/sh
# Installs Sandyk from this folder for Linux and macOS, without a network and without root.
#
#     sh install.sh [FOLDER]
#
# FOLDER is where the program goes; without it ~/.local/lib/sandyk. Nothing else is written but a link in ~/.local/bin.
set -eu

fail() {
    echo "install.sh: $1" >&2
    [ -z "${2:-}" ] || echo "hint: $2" >&2
    exit 1
}

here=$(cd "$(dirname "$0")" && pwd)
into=${1:-"$HOME/.local/lib/sandyk"}

cd "$here"
if command -v sha256sum >/dev/null; then
    sum="sha256sum"
else
    sum="shasum -a 256"
fi
$sum --check SHA256SUMS >/dev/null 2>&1 ||
    fail "a file here is missing or not what it was when this folder was made; nothing was installed" \
         "get the folder again from whoever made it"
echo "SHA-256 of SHA256SUMS, to compare with what its maker told you:"
$sum SHA256SUMS | cut -d' ' -f1

python=""
for candidate in python3.13 python3.12 python3.11 python3.14 python3; do
    if "$candidate" -I -c 'import sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
[ -n "$python" ] || fail "no Python from 3.11 to 3.14 is on this machine; nothing was installed" \
    "install python3 from your system, then run this again"

if [ -e "$into" ] && [ ! -e "$into/pyvenv.cfg" ]; then
    fail "$into is there already and is not this program; nothing was installed" "name another folder: sh install.sh FOLDER"
fi

system=$("$python" -I -c 'import platform, sys
kind = {"Linux": "linux", "Darwin": "macos"}.get(platform.system(), platform.system())
print(kind, platform.machine(), "%d.%d" % sys.version_info[:2], sep="-")')
[ -e "systems/$system.txt" ] ||
    fail "this folder has nothing for $system; nothing was installed" "it has: $(ls systems | sed 's/\.txt$//' | tr '\n' ' ')"

"$python" -I -m venv --clear --without-pip "$into"
for installer in wheels/pip-*.whl; do :; done
pip() {
    "$into/bin/python" -I "$installer/pip" --disable-pip-version-check --quiet "$@"
}
pip install --no-index --no-cache-dir --no-deps --find-links wheels --require-hashes -r "systems/$system.txt" ||
    fail "the libraries could not be installed" "run this again; if it fails again, tell whoever made this folder"
pip install --no-index --no-cache-dir --no-deps wheels/sandyk-*.whl
"$into/bin/sandyk" --version

if [ -d "$HOME/.local/bin" ] && [ ! -e "$HOME/.local/bin/sandyk" ] && [ ! -L "$HOME/.local/bin/sandyk" ]; then
    ln -s "$into/bin/sandyk" "$HOME/.local/bin/sandyk"
fi
echo "installed: $into/bin/sandyk"
