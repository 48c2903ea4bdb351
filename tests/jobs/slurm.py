"""A Slurm of the test's own on this machine: munged, slurmctld and one slurmd, without an accounting database.

Everything lies in one short-named folder and listens on ports of its own, so several may run side by side.
"""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

NEEDED = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "setpriv")
UP_S = 30.0
CONFIGURATION = """
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,sched_interval=1,bf_interval=1
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=2
MinJobAge=300
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} State=UNKNOWN
PartitionName=tests Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


@contextmanager
def slurm(cpus: int) -> Iterator[Path]:
    """Yields the slurm.conf of a Slurm that takes jobs; skips the test, and says why, where there can be none."""
    if os.geteuid() != 0:
        pytest.skip("a Slurm of our own is started as root only")
    absent = [name for name in NEEDED if shutil.which(name) is None]
    if absent:
        pytest.skip(f"{', '.join(absent)} not found; tests/need_slurm.sh installs Slurm where apt-get can")
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="slurm-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        for name in ("state", "spool"):
            (folder / name).mkdir()
        (folder / "munge.key").write_bytes(os.urandom(128))
        (folder / "munge.key").chmod(0o600)
        conf = folder / "slurm.conf"
        conf.write_text(CONFIGURATION.format(folder=folder, host=socket.gethostname().split(".")[0],
                                             ports=_free_ports(2), cpus=cpus))
        environment = os.environ | {"SLURM_CONF": str(conf)}
        munge = [f"--{name}={folder}/munge.{name.split('-')[0]}" for name in
                 ("socket", "key-file", "log-file", "pid-file", "seed-file")]
        for name, *options in (["munged", "--foreground", "--force", *munge], ["slurmctld", "-D"], ["slurmd", "-D"]):
            stack.enter_context(_daemon(name, options, folder / f"{name}.out", environment))
        _wait_for_node(folder, environment)
        stack.callback(subprocess.run, ["scancel", "--user=root"], env=environment, capture_output=True)
        yield conf


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [bound.getsockname()[1] for bound in sockets]


@contextmanager
def _daemon(name: str, options: list[str], output: Path, environment: dict[str, str]) -> Iterator[None]:
    """Runs as a child that is told to end when the test process ends, however that ends."""
    with output.open("wb") as sink:
        daemon = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", name, *options], env=environment, stdout=sink,
                                  stderr=sink, stdin=subprocess.DEVNULL)
    try:
        yield
    finally:
        daemon.terminate()
        try:
            daemon.wait(10)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()


def _wait_for_node(folder: Path, environment: dict[str, str]) -> None:
    until = time.monotonic() + UP_S
    while time.monotonic() < until:
        said = subprocess.run(["sinfo", "--noheader", "--format=%T"], env=environment, capture_output=True, text=True)
        if said.stdout.strip() == "idle":
            return
        time.sleep(0.2)
    told = [f"{path.name}: {path.read_text(errors='replace').splitlines()[-1:]}" for path in folder.glob("*.out")]
    pytest.skip(f"Slurm did not come up in {UP_S:.0f} s ({said.stdout or said.stderr}; {'; '.join(told)})")
