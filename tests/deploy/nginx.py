"""nginx in front of several servers, configured as its beginner's guide does it."""

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .listening import free_port, listening

CONFIG = """
daemon off;
worker_processes 1;
pid nginx.pid;
error_log nginx.log;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    upstream tokenwire {{
        {upstream}
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://tokenwire;
            {location}
        }}
    }}
}}
"""
KEEPALIVE = ("keepalive 32;", 'proxy_http_version 1.1; proxy_set_header Connection "";')
"""What an operator adds who wants connections to be used more than once."""

AVAILABLE = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")


@contextmanager
def nginx(folder: Path, servers: Iterable[str], more: tuple[str, str] = ("", "")) -> Iterator[str]:
    """The URL of an nginx that spreads requests over these servers.

    :param more: what is added to the upstream and to the location.
    """
    assert AVAILABLE is not None
    port = free_port()
    upstream = "".join(f"server {server};" for server in servers) + more[0]
    file = folder / "nginx.conf"
    file.write_text(CONFIG.format(port=port, upstream=upstream, location=more[1]))
    command = (AVAILABLE, "-c", file, "-p", folder, "-e", folder / "nginx.log")
    with listening(command, port, folder / "nginx.log") as url:
        yield url
