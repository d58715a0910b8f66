"""A Python that has imported what the workflow's steps import, and forks for each of them.

Importing torch, mmdet and MLflow takes more of a processor's time than most steps do on a few small
images. Tests of the workflow start dozens of steps; with a `python` on PATH that hands
``python -m tsd …`` on to here they start at once. All else is as it is without: each step is a
process of its own, with the arguments, folder, environment and output that it was started with.

That a step starts by itself, in an environment of its own, is for other tests to see:
``tests/cli/test_environment.py``, and those on a real SLURM.

    python server.py SOCKET
"""

import gc
import importlib
import json
import os
import random
import signal
import socket
import sys

IMPORTS = (
    "fontTools.subset",
    "matplotlib.backends.backend_pdf",
    "mlflow.store.tracking.sqlalchemy_store",
    "mlflow.tracking",
    "mmdet.engine",
    "mmdet.evaluation",
    "torch._dynamo",
    "torch.onnx",
    "torchvision",
    "tsd.cli.data_check_step",
    "tsd.cli.main",
    "tsd.data.embedded",
    "tsd.evaluation.measure",
    "tsd.evaluation.sensitivity",
    "tsd.reporting.page",
    "tsd.reporting.sample_sheet",
    "tsd.tracking.store",
    "tsd.training.check",
    "tsd.training.detect",
    "tsd.training.taken_weights",
    "tsd.training.train",
    "yapf.yapflib.yapf_api",
)

LARGEST_REQUEST = 1 << 20
"""Bytes: arguments and environment."""


def serve(path: str) -> dict:
    """Answer requests for as long as the process lives that started this one.

    Returns:
        A request, in each process that is forked for one.
    """
    parent = os.getppid()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()
        listening.settimeout(2)
        print("ready", flush=True)
        while os.getppid() == parent:
            try:
                connection, _ = listening.accept()
            except TimeoutError:
                continue
            finally:
                reap()
            with connection:
                connection.setblocking(True)
                if os.fork() == 0:
                    listening.close()
                    return keep(connection)
    sys.exit()


def reap() -> None:
    """Forget keepers that have ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def keep(connection: socket.socket) -> dict:
    """Fork the process that is asked for; tell its number, and how it ended.

    Returns:
        The request, in the process that is to do it; this one ends with it.
    """
    content, streams, _, _ = socket.recv_fds(connection, LARGEST_REQUEST, 3)
    request = json.loads(content)
    pid = os.fork()
    if pid == 0:
        connection.close()
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        return request
    for stream in streams:
        os.close(stream)
    connection.sendall(b"%d\n" % pid)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    connection.sendall(b"%d\n" % status)
    os._exit(0)


def become(request: dict) -> None:
    """Have this process be as if it had been started as is asked for."""
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = ["tsd", *request["arguments"]]
    # What it starts with the Python that it runs in starts at once too.
    sys.executable = request["python"]
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Of a process that is started on its own nothing is foreseeable, but what it seeds.
    random.seed()
    sys.modules["numpy"].random.seed()


if __name__ == "__main__":
    for name in IMPORTS:
        importlib.import_module(name)
    gc.freeze()
    become(serve(sys.argv[1]))
    from tsd.cli.main import main

    main(sys.argv[1:])
