"""The machine a run was made on, and how busy it was."""

import os
import platform
import shutil
import subprocess
from pathlib import Path


def busy_seconds() -> float:
    """CPU time that this machine's processes and kernel have used since it started."""
    user, nice, system, _idle, _iowait, irq, softirq = map(int, Path("/proc/stat").read_text().split()[1:8])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def describe() -> dict[str, str]:
    """What a reader needs to know before comparing two runs."""
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "cpu": f"{os.cpu_count()} x {names[0].partition(':')[2].strip() if names else platform.machine()}",
        "kernel": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "go": _first_line("go", "version").removeprefix("go version "),
        "nginx": _first_line("nginx", "-v").removeprefix("nginx version: "),
        "redis": _first_line("redis-server", "--version").partition(" sha=")[0].removeprefix("Redis server v="),
    }


def _first_line(*command: str) -> str:
    if not shutil.which(command[0]):
        return "none"
    out = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout
    return out.partition("\n")[0]
