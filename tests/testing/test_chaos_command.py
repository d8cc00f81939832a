"""`python -m tokenwire.testing chaos`."""

import signal
import subprocess
import sys
from urllib.request import urlopen

import pytest

from tokenwire.testing import Cut, Fault, ScriptedUpstream, Stall
from tokenwire.testing.command import fault_of, parser

COMMAND = [sys.executable, "-m", "tokenwire.testing", "chaos"]


def test_it_breaks_each_nth_connection_until_it_is_interrupted() -> None:
    pipe = subprocess.PIPE
    with ScriptedUpstream.in_thread() as upstream:
        command = [*COMMAND, "--port", "0", "--reset-at", "20", "--every", "2", upstream.base_url]
        with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
            try:
                assert process.stdout is not None
                url = process.stdout.readline().split()[1]
                assert url.endswith("/v1")
                assert url != upstream.base_url
                with urlopen(f"{url}/models") as answer:
                    assert answer.status == 200
                with pytest.raises(ConnectionResetError):
                    urlopen(f"{url}/models")
                assert process.stdout.readline() == "connection 1: passes\n"
                assert process.stdout.readline().startswith("connection 2: Cut(after=20, ending='reset'")
                process.send_signal(signal.SIGINT)
                _, errors = process.communicate(timeout=10)
                assert (process.returncode, errors) == (0, "")
            finally:
                process.kill()


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ([], None),
        (["--cut-at", "7"], Cut(7)),
        (["--reset-at", "7"], Cut(7, "reset")),
        (["--stall-at", "7"], Stall(7)),
        (["--stall-at", "7", "--seconds", "0.5"], Stall(7, 0.5)),
    ],
)
def test_every_option_reaches_the_fault(arguments: list[str], fault: Fault | None) -> None:
    assert fault_of(parser().parse_args(["chaos", *arguments, "http://127.0.0.1:1"])) == fault


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [(["http://localhost"], "host and a port"), (["--cut-at", "-1", "http://localhost:1"], "not negative")],
)
def test_what_makes_no_sense_is_one_clear_line(arguments: list[str], problem: str) -> None:
    refused = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=30)
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert problem in refused.stderr
