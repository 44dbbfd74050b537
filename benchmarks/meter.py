"""What a process uses from a moment on: seconds, CPU seconds, memory."""

from __future__ import annotations

import contextlib
import resource
import time
from pathlib import Path


class Meter:
    """Seconds, CPU seconds and memory from a moment on; libraries are imported before."""

    def __init__(self) -> None:
        self._memory = memory("VmRSS")
        self._cpu = _cpu()
        self._start = time.perf_counter()

    def read(self, **more: float) -> dict[str, float]:
        """Give what was used since; memory is the peak over what was held at the start, in MiB."""
        elapsed = time.perf_counter() - self._start
        return {"wall": elapsed, "cpu": _cpu() - self._cpu, "memory": memory("VmHWM") - self._memory, **more}


def _cpu() -> float:
    """Give the CPU seconds of this process, its threads and the children that it waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def memory(key: str) -> float:
    """Read Linux' own account: unlike ru_maxrss it does not begin with the parent's."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith(f"{key}:"):
                return int(line.split()[1]) / 1024
    return float("nan")
