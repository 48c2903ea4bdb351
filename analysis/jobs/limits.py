"""What a worker may take from the machine: memory, file size, no core dumps. Weights are loaded under these."""

import resource
from pathlib import Path

from analysis.checkpoints.preflight import memory_limit

ADDRESS_SLACK = 8_000_000_000  # threads, libraries and mapped files reserve addresses without using memory
LARGEST_FILE = 500_000_000_000


def limit_this_process() -> None:
    """Lower the limits of this process and all it starts; a limit that is lower already stays."""
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_FSIZE, LARGEST_FILE)
    if not Path("/dev/nvidiactl").exists():  # CUDA reserves addresses far beyond what it uses
        _lower(resource.RLIMIT_AS, int(memory_limit()) + ADDRESS_SLACK)


def _lower(kind: int, limit: int) -> None:
    soft, hard = resource.getrlimit(kind)
    known = [value for value in (soft, hard, limit) if value != resource.RLIM_INFINITY]
    resource.setrlimit(kind, (min(known), hard))
