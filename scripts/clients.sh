#!/bin/sh
# Installs the MongoDB shell and the drivers for the tests with real clients, pinned, below proto-tests/clients.
set -eu
cd "$(dirname "$0")/.."
. scripts/again.sh
cd proto-tests/clients

pip() { .venv/bin/pip install --quiet --disable-pip-version-check --retries 10 --timeout 60 "$@"; }
modules() { npm ci --omit=optional --ignore-scripts --no-audit --no-fund --loglevel=error --fetch-retries=5; }

# What is installed is as the lock files say, or it is installed again.
if ! cmp -s package-lock.json node_modules/.installed 2>/dev/null; then
  echo "Installing mongosh …"
  # Optional packages are native add-ons that no test uses.
  again modules
  cp package-lock.json node_modules/.installed
fi
if ! cmp -s drivers/package-lock.json drivers/node_modules/.installed 2>/dev/null; then
  echo "Installing Node drivers …"
  (cd drivers && again modules)
  cp drivers/package-lock.json drivers/node_modules/.installed
fi
# The shell needs Node 20; Debian 12 has 18.
if [ "$(node -p 'process.versions.node.split(".")[0]')" -lt 20 ] && [ ! -x node_modules/.node/bin/node ]; then
  arch=$(node -p process.arch)
  again npm install --prefix node_modules/.fetched --no-audit --no-fund --loglevel=error --fetch-retries=5 \
    "node-linux-$arch@20.20.2"
  ln -sfn ".fetched/node_modules/node-linux-$arch" node_modules/.node
fi
if ! cmp -s requirements.txt .venv/.installed 2>/dev/null; then
  echo "Installing PyMongo …"
  python3 -m venv .venv
  again pip -r requirements.txt
  cp requirements.txt .venv/.installed
fi
if ! cmp -s drivers/pymongo.txt .venv/.versions 2>/dev/null; then
  echo "Installing more versions of PyMongo …"
  for one in $(cat drivers/pymongo.txt); do
    again pip --upgrade --target ".venv/pymongo-${one#*==}" "$one"
  done
  cp drivers/pymongo.txt .venv/.versions
fi
