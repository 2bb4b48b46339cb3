"""The optional fast path: one C++ pass that draws, mixes, measures and weighs a batch on the CPU.

`python -m localmixup.native` builds it once with the C++ compiler at hand, into the user's cache; from then on
`LocalMixup` uses it where it can (float32 on the CPU, a permutation or flip, one `lam` a batch). Nothing else changes:
the same generator state gives the same plan. `LOCALMIXUP_NATIVE=0` switches it off.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.machinery
import importlib.util
import os
import platform
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

import torch

_SOURCE = Path(__file__).with_name("native.cpp")


def library_path() -> Path:
    """Where the built library lies: another one for every version of the source, of torch and of Python."""
    parts = (_SOURCE.read_bytes(), torch.__version__.encode(), sys.version.encode(), platform.machine().encode())
    base = os.environ.get("XDG_CACHE_HOME")
    folder = (Path(base) if base else Path.home() / ".cache") / "localmixup"
    return folder / f"native-{hashlib.sha256(b'|'.join(parts)).hexdigest()[:16]}.so"


def build(compiler: str | None = None) -> Path:
    """Build the library, half a minute.

    Args:
        compiler: a C++ compiler; default `$CXX` or `c++`.

    Returns:
        Its path.

    Raises:
        RuntimeError: there is no compiler, or it failed; the message holds what it said.
    """
    from torch.utils.cpp_extension import include_paths

    target = library_path()
    target.parent.mkdir(parents=True, exist_ok=True)
    includes = [*include_paths(), sysconfig.get_paths()["include"]]
    libraries = Path(torch.__file__).parent / "lib"
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        made = Path(folder) / "native.so"
        command = [
            compiler or os.environ.get("CXX", "c++"),
            *("-O3", "-std=c++20", "-shared", "-fPIC", "-fno-math-errno"),
            *("-DTORCH_EXTENSION_NAME=_localmixup_native", "-DTORCH_API_INCLUDE_EXTENSION_H"),
            f"-D_GLIBCXX_USE_CXX11_ABI={int(torch._C._GLIBCXX_USE_CXX11_ABI)}",
            *(f"-I{path}" for path in includes),
            *(str(_SOURCE), "-o", str(made), f"-L{libraries}", "-ltorch", "-ltorch_cpu", "-lc10", "-ltorch_python"),
        ]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError as error:
            raise RuntimeError(f"no C++ compiler: {command[0]}: {error.strerror}") from None
        if done.returncode:
            raise RuntimeError(f"the compiler failed:\n{done.stderr.strip()[-2000:]}")
        made.replace(target)
    load.cache_clear()
    return target


@functools.cache
def load() -> Any:
    """The built library, or None where there is none, or where it is switched off."""
    if os.environ.get("LOCALMIXUP_NATIVE") == "0" or not (path := library_path()).is_file():
        return None
    name = "_localmixup_native"
    loader = importlib.machinery.ExtensionFileLoader(name, str(path))
    spec = importlib.util.spec_from_file_location(name, path, loader=loader)
    assert spec is not None
    try:
        module = importlib.util.module_from_spec(spec)
        loader.exec_module(module)
    except ImportError:  # built for another system
        return None
    return module


if __name__ == "__main__":
    try:
        print(f"built {build()}")
    except RuntimeError as error:
        sys.exit(f"error: {error}")
