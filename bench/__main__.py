"""`python -m bench`: tokenwire beside nginx, on this machine, in one run."""

import os
import resource
import shutil
import signal
import sys
from itertools import chain
from pathlib import Path

from . import report, wire
from .options import Options
from .process import can_be_measured
from .run import run
from .table import Table

CACHE = Path(__file__).parent / "results" / "cache"
DEBIAN_PACKAGES = {"go": "golang-go", "nginx": "nginx-light", "redis-server": "redis-server"}


def main(argv: list[str] | None = None) -> int:
    options = Options.parse(argv)
    if not can_be_measured():
        print("bench needs Linux, with /proc mounted and CONFIG_PROC_CHILDREN", file=sys.stderr)
        return 2
    os.environ["PATH"] += os.pathsep + "/usr/sbin"  # Debian keeps nginx there, out of a user's PATH
    needed = ["go", *chain.from_iterable(contender.programs for contender in options.contenders)]
    if missing := [name for name in needed if not shutil.which(name)]:
        packages = " ".join(DEBIAN_PACKAGES[name] for name in missing)
        print(f"bench needs {' and '.join(missing)}; on Debian: apt-get install {packages}", file=sys.stderr)
        return 2
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))  # 500 streams are 1,000 sockets
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the servers are ended however this ends
    samples = []
    try:
        for sample in run(options.contenders, options.workloads, options.repetitions, wire.build(CACHE)):
            samples.append(sample)
            print(report.line(sample), file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        return 130
    if options.json:
        options.json.write_text(report.as_json(samples))
    table = Table(samples, options.contenders)
    print(f"\n{table}\n\n{report.notes(samples)}")
    faulty = any(sample.problem for sample in samples)
    return int(faulty or (options.check and table.over_budget))


if __name__ == "__main__":
    sys.exit(main())
