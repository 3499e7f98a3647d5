#!/bin/sh
# Installs Chromium for the browser tests where the system's package manager may be used; otherwise says what to do.
set -eu
for name in chromium chromium-browser google-chrome; do
  if command -v "$name" >/dev/null 2>&1; then
    exit 0
  fi
done
if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
  if apt-get update -qq &&
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core; then
    exit 0
  fi
fi
echo "Browser tests will be skipped: install Chromium (on Debian: sudo apt-get install chromium) to run them." >&2
