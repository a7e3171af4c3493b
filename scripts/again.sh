# shellcheck shell=sh
# To be read by other scripts.

# The network has bad moments: a few tries, further and further apart.
again() {
  for pause in 10 20 30; do
    if "$@"; then return; fi
    sleep "$pause"
  done
  "$@"
}
