#!/usr/bin/env bash
# Sets up the environment from the pinned, hash-checked requirements. Safe to interrupt and to call
# again: each finished step leaves a stamp, an unfinished one is done over.
#
#   VENV           environment to make (.venv), or an active conda environment of environment.yml
#   PYTHON         Python 3.11 to make it with
#   TSD_CACHE      folder of built mmcv wheels (~/.cache/tsd-reproduction)
#   FORCE_CUDA=1   compile mmcv's CUDA ops on a machine without a GPU, such as a login node
set -euo pipefail
cd "$(dirname "$0")/.."

venv=${VENV:-.venv}
python=${PYTHON:-python3.11}
cache=${TSD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tsd-reproduction}
# Not server.txt: what MLflow's server needs is installed by `make server` and by `make test`.
want=$(cat requirements/{mmcv,requirements,uv}.txt | sha256sum | cut -c1-16)
say() { printf '\n== %s\n' "$*"; }
reached() { [ "$(cat "$venv/.tsd-$1" 2> /dev/null)" = "$want" ]; }
reach() { echo "$want" > "$venv/.tsd-$1"; }

reached installed && exit 0

if [ ! -d "$venv/conda-meta" ] && ! reached requirements; then
    say "1/3 Installing the pinned requirements into $venv (7 GB)"
    "$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' ||
        { echo "$python is not Python 3.11; set PYTHON" >&2; exit 1; }
    "$python" -m venv --clear "$venv"
    "$venv/bin/pip" install --disable-pip-version-check --quiet --require-hashes --no-deps \
        -r requirements/uv.txt
    # Compiled now, where every process of every job would otherwise do it.
    "$venv/bin/uv" pip install --python "$venv/bin/python" --require-hashes --no-deps \
        --compile-bytecode -r requirements/requirements.txt
    # Two packages bring cv2; the one that needs no display's libraries has the last word.
    "$venv/bin/uv" pip install --quiet --python "$venv/bin/python" --require-hashes --no-deps \
        --reinstall-package opencv-python-headless -r requirements/requirements.txt
    reach requirements
fi

torch=$("$venv/bin/python" -c 'import torch; print(torch.__version__)')
ops=$("$venv/bin/python" -c 'import os, torch
print("cuda" if torch.cuda.is_available() or os.environ.get("FORCE_CUDA") == "1" else "cpu")')
mmcv=$(sed -nE 's/^onedl-mmcv==([^ ]+).*/\1/p' requirements/mmcv.txt)
wheels=$cache/mmcv-$mmcv/torch-$torch-$(uname -m)-$ops
if ! ls "$wheels"/onedl_mmcv-*.whl > /dev/null 2>&1; then
    say "2/3 Compiling mmcv's ops against torch $torch (78 files, some 6 minutes on 2 cores)"
    source=$wheels.source
    if [ ! -f "$source/setup.py" ]; then
        rm -rf "$source.unpacked" "$source.download"
        mkdir -p "$source.unpacked" "$source.download"
        "$venv/bin/pip" download --quiet --no-deps --no-build-isolation --no-binary onedl-mmcv \
            --require-hashes -d "$source.download" -r requirements/mmcv.txt
        tar -xzf "$source.download"/onedl_mmcv-*.tar.gz -C "$source.unpacked" --strip-components 1
        # torch's headers need C++20; mmcv's build asks for C++17.
        sed -i 's/-std=c++17/-std=c++20/' "$source.unpacked/setup.py"
        mv "$source.unpacked" "$source"
    fi
    # Python's own flags ask for debugging symbols, which double the time: -g0.
    PATH="$(cd "$venv" && pwd)/bin:$PATH" MAX_JOBS=${MAX_JOBS:-$(nproc)} \
        CFLAGS="-O2 -g0 -DNDEBUG" \
        "$venv/bin/pip" wheel -v --no-build-isolation --no-deps -w "$wheels.built" "$source" 2>&1 |
        tee "$wheels.log" | grep --line-buffered -oE '^ *\[[0-9]+/[0-9]+\]|error: .*' || true
    if ! ls "$wheels.built"/onedl_mmcv-*.whl > /dev/null 2>&1; then
        echo "mmcv did not compile; see $wheels.log" >&2
        exit 1
    fi
    mv "$wheels.built" "$wheels"
    rm -rf "$source" "$source.download"
fi

say "3/3 Installing mmcv and this project"
"$venv/bin/pip" install --quiet --no-deps --no-index --force-reinstall "$wheels"/onedl_mmcv-*.whl
"$venv/bin/pip" install --quiet --no-deps --no-index --no-build-isolation --editable .
"$venv/bin/pip" check
reach installed
