"""What tests start beside themselves: it can be interrupted, and none of it stays behind."""

import subprocess
import sys
import time

import pytest

from tests.projects import started
from tsd.liveness import is_alive


def test_ctrl_c_reaches_what_tests_start_whatever_started_the_suite():
    code = "import signal; print(signal.getsignal(signal.SIGINT) is signal.SIG_IGN)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_test_that_fails_leaves_no_process_behind(tmp_path):
    child = tmp_path / "pid"
    command = ["bash", "-c", f"sleep 300 & echo $! > {child}.new && mv {child}.new {child}; wait"]

    def test():
        with started(tmp_path, *command, log=tmp_path / "log"):
            while not child.exists():
                time.sleep(0.05)
            raise AssertionError("the test fails")

    with pytest.raises(AssertionError, match="the test fails"):
        test()
    deadline = time.monotonic() + 10
    while is_alive(int(child.read_text()), None):
        assert time.monotonic() < deadline, "the child of a killed process lives on"
        time.sleep(0.05)
