#!/bin/sh
# Rewrites what is generated from the command table and the settings: README.md's tables, config.example.toml.
set -eu
cd "$(dirname "$0")/.."
cargo build --locked --quiet -p ermine
ermine=target/debug/ermine

# Replaces what stands between a table's marker and the next end marker.
table() {
  awk -v marker="<!-- generated: $1 -->" -v file="$2" '
    $0 == marker { print; while ((getline line < file) > 0) print line; skip = 1; next }
    $0 == "<!-- end -->" { skip = 0 }
    !skip { print }' README.md >"$work/README.md"
  cat "$work/README.md" >README.md
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$ermine" config --markdown >"$work/settings"
"$ermine" commands --markdown >"$work/commands"
table settings "$work/settings"
table commands "$work/commands"
"$ermine" config >"$work/config.example.toml"
cat "$work/config.example.toml" >config.example.toml
