#!/bin/sh
# Browser tests need Chromium, and those of printed figures poppler's pdffonts and pdfinfo. Install Debian's where they
# are absent and apt is usable; without them these tests are skipped.
missing=""
for name in chromium chromium-browser google-chrome none; do command -v "$name" >/dev/null 2>&1 && break; done
[ "$name" = none ] && missing="chromium"
command -v pdffonts >/dev/null 2>&1 || missing="$missing poppler-utils"
[ -z "$missing" ] && exit 0
if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
    echo "Installing for the browser tests (once): $missing ..."
    apt-get update -qq >/dev/null 2>&1
    # shellcheck disable=SC2086 # several names
    apt-get install -y -qq --no-install-recommends $missing >/dev/null 2>&1 && exit 0
fi
echo "Absent and not installed, so the tests that need them will be skipped: $missing. Install with your packages."
