#!/usr/bin/env bash
# Installs the servers and tools that tests and a full profile need and the machine lacks:
# `scripts/install-servers.sh redis-server softhsm2 nats-server k6 chromium`.
#
# Kept in $FLORIN_TOOLS_DIR (default ~/.cache/florin/bin) between runs. As root Redis comes from the system's packages, otherwise it is
# unpacked from them; nats-server and k6 are built by `go install` in the versions named here. SoftHSM and Chromium (for the tests of the card
# fields) come from the system's packages and as root only: neither runs from unpacked packages. Ends with 1 when one could not be had.
set -uo pipefail

nats_version=v2.15.2
k6_version=v1.8.1
export FLORIN_TOOLS_DIR="${FLORIN_TOOLS_DIR:-${HOME:-/tmp}/.cache/florin/bin}"
export PATH="$FLORIN_TOOLS_DIR:$PATH"
mkdir -p "$FLORIN_TOOLS_DIR" || exit 1

say() { printf '\n== %s\n' "$*"; }

has() { command -v "$1" >/dev/null 2>&1 || [ -x "$FLORIN_TOOLS_DIR/$1" ]; }

install_redis() {
  has redis-server && return 0
  say "installing redis-server"
  if [ "$(id -u)" -eq 0 ]; then
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends redis-server || return 1
    # The package may start a server of its own; ours are started by hand.
    if [ -d /run/systemd/system ]; then systemctl stop redis-server >/dev/null 2>&1; fi
    return 0
  fi
  # Without root: unpack the packages into the cache and run the binary with the libraries beside it.
  local folder="$FLORIN_TOOLS_DIR/../redis"
  mkdir -p "$folder" && folder="$(cd "$folder" && pwd)" || return 1
  (
    cd "$folder" || exit 1
    packages="redis-server redis-tools $(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances redis-tools 2>/dev/null | grep -oE '^(libjemalloc|liblzf|libatomic|liblua5|lua-)[^ ]*' | sort -u | tr '\n' ' ')"
    # shellcheck disable=SC2086
    apt-get download -qq $packages || exit 1
    for package in ./*.deb; do dpkg -x "$package" . || exit 1; done
    rm -f ./*.deb
  ) || return 1
  local binary
  binary="$(find "$folder/usr/bin" -name 'redis-check-rdb' -o -name 'redis-server' | head -n 1)"
  [ -n "$binary" ] || return 1
  local libraries
  libraries="$(find "$folder/usr/lib" -name '*.so*' -printf '%h\n' 2>/dev/null | sort -u | paste -sd: -)"
  printf '#!/bin/sh\nLD_LIBRARY_PATH="%s${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" exec -a redis-server "%s" "$@"\n' "$libraries" "$folder/usr/bin/redis-server" \
    | sed '1s#/bin/sh#/usr/bin/env bash#' >"$FLORIN_TOOLS_DIR/redis-server"
  chmod 755 "$FLORIN_TOOLS_DIR/redis-server"
  "$FLORIN_TOOLS_DIR/redis-server" --version
}

# The library has its place in the system, so an ordinary user has to ask for it.
install_softhsm() {
  has softhsm2-util && return 0
  if [ "$(id -u)" -ne 0 ]; then
    echo "softhsm2 is not there, and only root can install it: apt-get install softhsm2"
    return 1
  fi
  say "installing softhsm2"
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends softhsm2
}

# A Go program in exactly this version, kept in the tools folder with its version beside it.
install_go_tool() { # name, package, version
  local name="$1" package="$2" version="$3" marker="$FLORIN_TOOLS_DIR/.$1-version"
  if [ -x "$FLORIN_TOOLS_DIR/$name" ] && "$FLORIN_TOOLS_DIR/$name" "$4" 2>/dev/null | grep -qF "${version#v}"; then return 0; fi
  if ! command -v go >/dev/null 2>&1; then
    has "$name" && return 0
    echo "neither $name nor go is there"
    return 1
  fi
  say "installing $name $version (go install)"
  GOBIN="$FLORIN_TOOLS_DIR" GOFLAGS=-mod=mod go install "$package@$version" && echo "$version" >"$marker"
}

install_chromium() {
  has chromium && return 0
  if [ "$(id -u)" -ne 0 ]; then
    echo "chromium is not there, and only root can install it: apt-get install chromium"
    return 1
  fi
  say "installing chromium"
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null
}

install_one() {
  case "$1" in
    redis-server) install_redis ;;
    softhsm2) install_softhsm ;;
    nats-server) install_go_tool nats-server github.com/nats-io/nats-server/v2 "$nats_version" --version ;;
    k6) install_go_tool k6 go.k6.io/k6 "$k6_version" version ;;
    chromium) install_chromium ;;
    *) echo "no recipe for $1"; return 1 ;;
  esac
}

missing=0
for name in "$@"; do
  install_one "$name" || { echo "could not install $name"; missing=1; }
done
exit "$missing"
