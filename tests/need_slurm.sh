#!/bin/sh
# Tests of the scheduler start a Slurm of their own. Install Debian's when it is absent and apt is usable; without it they
# are skipped. No daemon of the package is started.
command -v slurmctld >/dev/null 2>&1 && command -v slurmd >/dev/null 2>&1 && command -v munged >/dev/null 2>&1 && exit 0
if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
    echo "Installing Slurm for the scheduler tests (once) ..."
    policy=/usr/sbin/policy-rc.d
    [ -e "$policy" ] || { made=$policy; printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy"; }
    apt-get update -qq >/dev/null 2>&1
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends slurm-wlm munge >/dev/null 2>&1
    installed=$?
    [ -z "$made" ] || rm -f "$made"
    [ "$installed" = 0 ] && exit 0
fi
echo "Slurm is absent and could not be installed: its tests will be skipped. Install slurm-wlm and munge."
