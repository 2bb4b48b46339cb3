"""Read an encoder from a file. What would run code while it is read is refused; the encoder itself is a program.

`torch.export.load` unpickles members of an archive, evaluates the expressions of sizes and the guards, loads compiled
libraries, and calls whatever function of `torch` a node names. Here the archive is therefore read, checked and written
again: only plain weights and a graph of tensor operations are left.
"""

from __future__ import annotations

import io
import json
import logging
import pickle
import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch

from localmixup._validate import ArgumentError

_MODEL = "models/model.json"
_WEIGHTS, _CONSTANTS = "data/weights/", "data/constants/"
_SAMPLES = "data/sample_inputs/model.pt"
_KEPT = ("archive_format", "archive_version", "byteorder", ".data/version", ".data/serialization_id", "version")
_NAME, _PATH = re.compile(r"\w*", re.ASCII), re.compile(r"[\w.]*", re.ASCII)
_PAYLOAD = re.compile(r"(weight|tensor|constant|const)_\w+", re.ASCII)
_SYMBOLS = re.compile(r"[suz]f?\d+", re.ASCII)
_TOKENS = re.compile(r"[A-Za-z_]\w*|-?\d+(\.\d+)?(e[+-]?\d+)?|'\w*'|[(), =]", re.ASCII)
_TARGETS = re.compile(
    r"torch\.ops\.(aten|prims|quantized|quantized_decomposed)\.\w+\.\w+"
    r"|torch\.ops\.higher_order\.(cond|wrap_with_set_grad_enabled|wrap_with_autocast)"
    r"|torch\.(sym_\w+|ops\.aten\.\w+)"
    r"|_operator\.(add|sub|mul|truediv|floordiv|mod|pow|neg|pos|abs|eq|ne|lt|le|gt|ge|and_|or_|not_|getitem)"
    r"|math\.\w+",
    re.ASCII,
)
_FILES = ("from_file", "save", "load")  # operations of tensors that touch files
_FUNCTIONS = [
    "Symbol",
    "Integer",
    "Float",
    "Rational",
    "Add",
    "Mul",
    "Pow",
    "Max",
    "Min",
    "Mod",
    "PythonMod",
    "FloorDiv",
    "ModularIndexing",
    "CleanDiv",
    "CeilDiv",
    "CeilToInt",
    "FloorToInt",
    "TruncToInt",
    "TruncToFloat",
    "RoundToInt",
    "ToFloat",
    "IntTrueDiv",
    "FloatTrueDiv",
    "PowByNatural",
    "Where",
    "Eq",
    "Ne",
    "Equality",
    "Unequality",
    "Lt",
    "Le",
    "Gt",
    "Ge",
    "StrictLessThan",
    "LessThan",
    "StrictGreaterThan",
    "GreaterThan",
    "And",
    "Or",
    "Not",
    "Identity",
    "positive",
    "integer",
    "nonnegative",
    "negative",
    "real",
    "precision",
    "true",
    "false",
    "True",
    "False",
    "BooleanTrue",
    "BooleanFalse",
    "int_oo",
    "oo",
    "Infinity",
    "NegativeInfinity",
]
_SPEC_TYPES = (None, "builtins.tuple", "builtins.list", "builtins.dict", "collections.OrderedDict")
_FREE_TEXT = ("torch_version", "as_string", "as_strings")


def read_encoder(path: Path) -> Any:
    """Read a TorchScript file or an exported program (`.pt2`).

    Args:
        path: the file.

    Returns:
        A function of a batch of inputs.

    Raises:
        ArgumentError: there is no such file, it is of another kind, or reading it would run code.
    """
    wanted = f"--encoder must be a TorchScript or exported program (.pt2) file, got {path}"
    try:
        if not path.is_file():
            raise ArgumentError(f"--encoder must be a file, got {path}")
        if not zipfile.is_zipfile(path):  # torch.export prints a traceback of its own for other files
            raise ArgumentError(wanted)
        if path.suffix.lower() == ".pt2":
            checked = _checked(path)
            logging.disable(logging.WARNING)  # torch logs tracebacks of what it cannot read
            return torch.export.load(io.BytesIO(checked)).module()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of TorchScript, which many files still use
            return torch.jit.load(str(path)).eval()  # type: ignore[no-untyped-call]
    except ArgumentError:
        raise
    except _UnsafeError as error:
        raise ArgumentError(
            f"--encoder {path} is refused: {error}, and reading that could run code; save plain weights and plain "
            "tensor operations, or a TorchScript file"
        ) from None
    except Exception as error:  # torch and sympy raise whatever a damaged file makes them raise
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise ArgumentError(f"{wanted}: {reason}") from None
    finally:
        logging.disable(logging.NOTSET)


class _UnsafeError(Exception):
    """Reading a member of the archive would run code, or could."""


def _checked(path: Path) -> bytes:
    """Return a new archive that holds what is needed of an exported program, after checking each member."""
    written = io.BytesIO()
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as safe:
        members = archive.infolist()
        names = [member.filename for member in members]
        if len(set(names)) < len(names) or any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise _UnsafeError("members are compressed or there twice")
        if len({name.partition("/")[0] for name in names}) != 1 or not any(name.endswith(_MODEL) for name in names):
            raise ArgumentError(
                f"--encoder must be a TorchScript or exported program (.pt2) file, got {path}: of an older torch? "
                "Export it again"
            )
        for member in members:
            name = member.filename.partition("/")[2]
            content = archive.read(member)
            if name == _MODEL:
                content = json.dumps(_checked_model(json.loads(content))).encode()
            elif name == _SAMPLES:
                content = _checked_samples(content)
            elif name in (f"{_WEIGHTS}model_weights_config.json", f"{_CONSTANTS}model_constants_config.json"):
                _check_payloads(json.loads(content))
            elif name.startswith("extra/"):
                continue
            elif name not in _KEPT and not _PAYLOAD.fullmatch(
                name.removeprefix(_WEIGHTS if name.startswith(_WEIGHTS) else _CONSTANTS)
            ):
                raise _UnsafeError(f"it holds {name[:60]!r}")
            safe.writestr(f"encoder/{name}", content)
    return written.getvalue()


def _checked_samples(content: bytes) -> bytes:
    try:
        samples = torch.load(io.BytesIO(content), weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, ValueError, EOFError):
        raise _UnsafeError("its sample inputs are pickled objects that are not tensors") from None
    written = io.BytesIO()
    torch.save(samples, written)
    return written.getvalue()


def _check_payloads(config: Any) -> None:
    for name, payload in config["config"].items():
        if payload.get("use_pickle") or not _PAYLOAD.fullmatch(payload["path_name"]):
            raise _UnsafeError(f"{name[:60]!r} is a pickled object")


def _checked_model(model: Any) -> Any:
    model["guards_code"] = []  # Python code on the inputs, which would be executed
    _check(model, "")
    return model


def _check(value: Any, key: str) -> None:
    """Check every text in the description of a program, and drop what only a debugger reads."""
    if isinstance(value, dict):
        if "metadata" in value:
            value["metadata"] = {}
        if {"target", "inputs", "outputs"} <= set(value):
            _check_target(value["target"])
        for name, item in value.items():
            if not _PATH.fullmatch(name):
                _check_expression(name)
            _check(item, name)
    elif isinstance(value, list):
        for item in value:
            _check(item, key)
    elif isinstance(value, str):
        if key == "expr_str":
            _check_expression(value)
        elif key in ("in_spec", "out_spec"):
            _check_spec(json.loads(value)[1] if value else {})
        elif key not in _FREE_TEXT and not (_NAME if key == "name" else _PATH).fullmatch(value):
            raise _UnsafeError(f"{key} is {value[:60]!r}")


def _check_target(target: Any) -> None:
    if not isinstance(target, str) or not _TARGETS.fullmatch(target) or set(target.split(".")) & set(_FILES):
        raise _UnsafeError(f"it calls {str(target)[:60]!r}")


def _check_expression(text: str) -> None:
    at = 0
    while at < len(text):
        token = _TOKENS.match(text, at)
        if token is None or (token[0][0].isalpha() and token[0] not in _FUNCTIONS and not _SYMBOLS.fullmatch(token[0])):
            raise _UnsafeError(f"a size is the expression {text[:60]!r}")
        at = token.end()


def _check_spec(spec: Any) -> None:
    if spec and spec["type"] not in _SPEC_TYPES:
        raise _UnsafeError(f"an input is of the type {str(spec['type'])[:60]!r}")
    keys = json.loads(spec["context"]) if spec and spec["context"] else None
    if keys is not None and not (isinstance(keys, list) and all(isinstance(key, str | int) for key in keys)):
        raise _UnsafeError("an input has keys that are no names")
    for child in spec.get("children_spec", []):
        _check_spec(child)
