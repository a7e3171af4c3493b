#!/bin/sh
# Installs the Debian packages that `make run` or `make test` needs and this machine lacks, and says which.
# Usage: scripts/install.sh run|test
set -eu
. "$(dirname "$0")/again.sh"

missing=""
lacks() { missing="$missing $*"; }
installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# The server, its headers (which bring clang for bindgen), and a C compiler for some crates.
[ -x /usr/lib/postgresql/15/bin/postgres ] || lacks postgresql-15
installed postgresql-server-dev-15 || lacks postgresql-server-dev-15
command -v cc >/dev/null || lacks gcc libc6-dev
if [ "${1:-}" = test ]; then
  # libFuzzer is C++.
  command -v c++ >/dev/null || lacks g++
  command -v node >/dev/null || lacks nodejs
  command -v npm >/dev/null || lacks npm
  command -v openssl >/dev/null || lacks openssl
  # The image is built without a container engine.
  command -v buildah >/dev/null || lacks buildah
  command -v debootstrap >/dev/null || lacks debootstrap
  python3 -c 'import ensurepip, venv' 2>/dev/null || lacks python3-venv
fi

if [ -n "$missing" ]; then
  command -v apt-get >/dev/null || {
    echo "These Debian packages are missing, and there is no apt-get to install them:$missing" >&2
    exit 1
  }
  echo "Installing Debian packages:$missing"
  root=""
  [ "$(id -u)" = 0 ] || root=sudo
  # Debian makes and starts a cluster on port 5432 when the server is installed. Nobody here asked for it.
  conf=/etc/postgresql-common/createcluster.d/no-main-cluster.conf
  ours=""
  if [ ! -e "$conf" ] && ! installed postgresql-15; then
    $root mkdir -p "${conf%/*}"
    echo "create_main_cluster = false" | $root tee "$conf" >/dev/null
    ours=yes
  fi
  # Another apt-get may be at work, and the network has bad moments.
  apt() { $root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=600 -o Acquire::Retries=5 "$@"; }
  status=0
  {
    again apt update && apt install -y --no-install-recommends $missing >/dev/null
  } || status=$?
  [ -z "$ours" ] || $root rm -f "$conf"
  if [ "$status" != 0 ]; then
    echo "apt-get could not install:$missing" >&2
    exit 1
  fi
fi

command -v cargo >/dev/null || {
  echo "cargo is missing: install Rust with rustup (rust-toolchain.toml names the version)." >&2
  exit 1
}
