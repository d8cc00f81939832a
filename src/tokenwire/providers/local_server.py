"""The process that serves an embedded model: ``python -m tokenwire.providers.local_server``.

Takes its order as one line of JSON (``file``, ``port``, ``key``) on standard input, prints the address once the model
answers, and serves until standard input ends.
"""

import json
import os
import sys

import xllamacpp

_CONTEXT = 8192
_SLOTS = 4


def main() -> None:
    """Serves one model."""
    order = json.loads(sys.stdin.readline())
    params = xllamacpp.CommonParams()
    params.model.path = order["file"]
    params.hostnames = ["127.0.0.1"]
    params.port = order["port"]
    params.api_keys = [order["key"]]
    params.n_ctx = _CONTEXT
    params.n_parallel = _SLOTS
    params.kv_unified = True
    params.cpuparams.n_threads = max(1, (os.cpu_count() or 2) // 2)
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)  # noqa: T201
    sys.stdin.read()
    # the engine's own threads would keep a normal exit waiting for an answer under way
    os._exit(0)


if __name__ == "__main__":
    main()
