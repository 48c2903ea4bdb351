#!/bin/sh
# Browser tests need Chromium. Install Debian's when it is absent and apt is usable; without it they are skipped.
for name in chromium chromium-browser google-chrome; do command -v "$name" >/dev/null 2>&1 && exit 0; done
if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
    echo "Installing Chromium for the browser tests (once) ..."
    apt-get update -qq >/dev/null 2>&1
    apt-get install -y -qq --no-install-recommends chromium >/dev/null 2>&1 && exit 0
fi
echo "Chromium is absent and could not be installed: browser tests will be skipped. Install it with your packages."
