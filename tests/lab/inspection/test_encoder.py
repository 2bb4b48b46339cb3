"""Files of encoders: what they compute, and that reading one runs nothing in it."""

import contextlib
import io
import json
import os
import pickle
import zipfile

import pytest
import torch
from torch import nn

from localmixup import ArgumentError
from localmixup.lab.inspection.encoder import read_encoder

INPUTS = torch.randn(5, 1, 8, 8, generator=torch.Generator().manual_seed(0))


class Convolutions(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 3, 3, padding=1), nn.BatchNorm2d(3)
        self.pool, self.last = nn.AdaptiveAvgPool2d(4), nn.Linear(48, 4)

    def forward(self, x):
        hidden = self.pool(torch.relu(self.norm(self.conv(x)))).flatten(1)
        scores = torch.einsum("ij,kj->ik", hidden, self.last.weight) + torch.arange(4.0)
        return scores.view(x.shape[0], -1) * (x.shape[0] + 1)


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(8, 2, batch_first=True)

    def forward(self, x):
        with torch.no_grad():
            return self.layer(x[:, 0]).mean(1)


def export(path, model=None):
    model = model or nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    rows = torch.export.Dim("n", min=2, max=4096)
    torch.export.save(torch.export.export(model.eval(), (INPUTS,), dynamic_shapes=({0: rows},)), path)
    return path


@pytest.mark.parametrize("kind", [Convolutions, Attention])
def test_exported_programs_compute_what_the_model_does(tmp_path, kind):
    model = kind().eval()
    encoder = read_encoder(export(tmp_path / "encoder.pt2", model))
    other = torch.randn(9, 1, 8, 8)
    torch.testing.assert_close(encoder(other), model(other))


class Marks:
    """When it is unpickled, a folder appears."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


def pickled(mark):
    written = io.BytesIO()
    torch.save((Marks(mark),), written)
    return written.getvalue()


def code(mark):
    return f"__import__('pathlib').Path({str(mark)!r}).touch()"


def change(text, old, new):
    assert old in text
    return text.replace(old, new).encode()


SIZE = "Symbol('"


def in_the_samples(name, content, mark):
    return pickled(mark) if "sample_inputs" in name else content


def in_the_weights(name, content, mark):
    if name.endswith("weights/weight_0"):
        return pickled(mark)
    if name.endswith("model_weights_config.json"):
        return change(content.decode(), '"use_pickle": false', '"use_pickle": true')
    return content


def in_the_constants(name, content, mark):
    if name.endswith("model_constants_config.json"):
        payload = {"path_name": "opaque_obj_0", "is_param": False, "use_pickle": True, "tensor_meta": None}
        return json.dumps({"config": {"thing": payload}}).encode()
    return content


def in_a_size(name, content, mark):
    if not name.endswith("model.json"):
        return content
    model = json.loads(content)
    found = model["graph_module"]["graph"]["tensor_values"]["input"]["sizes"][0]["as_expr"]
    found["expr_str"] = code(mark)
    return json.dumps(model).encode()


def in_the_guards(name, content, mark):
    if not name.endswith("model.json"):
        return content
    model = json.loads(content)
    model["guards_code"] = [f"{code(mark)} or True"]
    return json.dumps(model).encode()


def in_a_call(name, content, mark):
    if not name.endswith("model.json"):
        return content
    return change(content.decode(), "torch.ops.aten.flatten.using_ints", "torch.os.system")


def in_a_name(name, content, mark):
    if not name.endswith("model.json"):
        return content
    return change(content.decode(), '"name": "flatten"', json.dumps({"name": f"a; {code(mark)}; flatten"})[1:-1])


def in_an_enumeration(name, content, mark):
    if not name.endswith("model.json"):
        return content
    model = json.loads(content)
    signature = model["graph_module"]["module_call_graph"][0]["signature"]
    kind = {"__enum__": True, "fqn": "antigravity:x", "name": "y"}
    signature["in_spec"] = json.dumps([1, {"type": "builtins.dict", "context": json.dumps(kind), "children_spec": []}])
    return json.dumps(model).encode()


HIDES = [
    in_the_samples, in_the_weights, in_the_constants, in_a_size, in_the_guards, in_a_call, in_a_name, in_an_enumeration,
]  # fmt: skip


def repacked(path, hide, mark):
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, hide(name, content, mark))
        if hide is in_the_constants:
            archive.writestr("encoder/data/constants/opaque_obj_0", pickle.dumps(Marks(mark)))
    return path


@pytest.mark.parametrize("hide", HIDES)
def test_nothing_runs_while_an_archive_is_read(tmp_path, hide):
    path, mark = repacked(export(tmp_path / "encoder.pt2"), hide, tmp_path / "mark"), tmp_path / "mark"
    if hide is in_the_guards:  # they are left out
        assert read_encoder(path)(INPUTS).shape == (5, 2)
    else:
        with pytest.raises(ArgumentError, match=r"encoder\.pt2 is refused: ") as refused:
            read_encoder(path)
        assert "\n" not in str(refused.value)
    assert not mark.exists()


def test_the_attacks_do_run_where_torch_reads_the_archive_itself(tmp_path):
    """Otherwise the test above would show nothing."""
    ran = []
    for hide in (in_the_samples, in_the_weights, in_a_size):
        mark = tmp_path / hide.__name__
        path = repacked(export(tmp_path / f"{hide.__name__}.pt2"), hide, mark)
        with contextlib.suppress(Exception):  # the folder has appeared by then
            torch.export.load(path).module()
        ran.append(mark.exists())
    assert all(ran)


@pytest.mark.parametrize("extra", ["data/aotinductor/model/a.so", "../../evil", "data/weights/../x"])
def test_further_members_are_refused(tmp_path, extra):
    path = export(tmp_path / "encoder.pt2")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(f"encoder/{extra}", b"")
    with pytest.raises(ArgumentError, match="is refused: it holds"):
        read_encoder(path)


def test_compressed_and_doubled_members_are_refused(tmp_path):
    path = export(tmp_path / "encoder.pt2")
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("encoder/extra/zeros", bytes(10**6))
    with pytest.raises(ArgumentError, match="compressed or there twice"):
        read_encoder(path)


def test_damaged_files_end_in_one_line(tmp_path, capfd):
    generator = torch.Generator().manual_seed(0)
    whole = export(tmp_path / "whole.pt2").read_bytes()
    for k in range(40):
        damaged = bytearray(whole)
        for at in torch.randint(len(whole), (20,), generator=generator).tolist():
            damaged[at] ^= 1 << (at % 8)
        path = tmp_path / "damaged.pt2"
        path.write_bytes(damaged if k % 2 else damaged[: len(damaged) * (k + 1) // 41])
        with contextlib.suppress(ArgumentError):
            read_encoder(path)
    assert "Traceback" not in capfd.readouterr().err
