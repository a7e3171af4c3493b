#!/bin/bash
# Builds the image from the Dockerfile without a container engine, on bases made of Debian's packages, into target/image:
# `root` is the image's file system, `image.json` what it says of itself. Needs root (chroot, mount).
# Usage: scripts/image.sh [bases]   (bases: nothing but those)
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/again.sh
dir=$PWD/target/image
mkdir -p "$dir"
# vfs needs no support from the kernel, and copies every layer: what is not needed any more is removed.
bh() { buildah --storage-driver vfs --root "$dir/storage" --runroot "$dir/run" "$@"; }
export BUILDAH_ISOLATION=chroot

if ! bh inspect --type image localhost/ermine-build-base >/dev/null 2>&1; then
  mirror=$(apt-get indextargets --format '$(SITE) $(CODENAME)' | awk '$2 == "bookworm" && !n++ { print $1 }')
  echo "Making the bases from ${mirror:=http://deb.debian.org/debian} …"
  unpack() {
    rm -rf "$dir/debian"
    debootstrap --variant=minbase bookworm "$dir/debian" "$mirror" >"$dir/debootstrap.log"
  }
  again unpack
  base=$(bh from scratch)
  bh copy --quiet "$base" "$dir/debian" / >/dev/null
  bh commit --quiet "$base" localhost/ermine-runtime-base >/dev/null
  again bh run "$base" -- sh -c 'apt-get update -qq && apt-get install -y -qq --no-install-recommends gcc libc6-dev ca-certificates' \
    >"$dir/apt.log" 2>&1
  # The toolchain and the crates of this machine are mounted into the build; the crates are all there.
  bh config --env PATH=/toolchain/bin:/usr/sbin:/usr/bin:/sbin:/bin --env CARGO_HOME=/cargo --env CARGO_NET_OFFLINE=true "$base"
  # The tests ask what the image is and does, not how fast it is.
  bh config --env CARGO_PROFILE_RELEASE_OPT_LEVEL=1 --env CARGO_PROFILE_RELEASE_LTO=off \
    --env CARGO_PROFILE_RELEASE_DEBUG=false --env CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 "$base"
  bh commit --quiet "$base" localhost/ermine-build-base >/dev/null
  bh rm "$base" >/dev/null
  rm -rf "$dir/debian"
fi

[ "${1:-}" != bases ] || exit 0

again cargo fetch --locked --quiet
echo "Building the image …"
mkdir -p "$dir/target"
bh rm --all >/dev/null
bh bud --quiet --layers=false --file Dockerfile --tag localhost/ermine \
  --build-arg BUILD_BASE=localhost/ermine-build-base --build-arg RUNTIME_BASE=localhost/ermine-runtime-base \
  --build-arg REVISION="$(git rev-parse HEAD 2>/dev/null || echo unknown)" \
  --format docker \
  --volume "$(rustc --print sysroot):/toolchain:ro" \
  --volume "${CARGO_HOME:-$HOME/.cargo}/registry:/cargo/registry" \
  --volume "$dir/target:/src/target" . >"$dir/build.log"
bh inspect --type image localhost/ermine >"$dir/image.json"
container=$(bh from localhost/ermine)
ln -sfn "$(bh mount "$container")" "$dir/root"
