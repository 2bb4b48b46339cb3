"""Models and optimisers of the user's own: checked before any run, and never taken for another one."""

import functools
import subprocess
import sys

import pytest
import torch
from torch import nn

from localmixup._validate import ArgumentError
from localmixup.lab.models import build_model, choose_model, describe_model
from localmixup.lab.models.own import adopt_model, adopt_optimizer, own_factory, plain_name, stays_here
from localmixup.lab.runs.engine import run, stack_key
from localmixup.lab.runs.events import Note
from localmixup.lab.runs.network import can_stack, stack
from localmixup.lab.runs.spec import DataSpec, MethodSpec, RunSpec, TrainingSpec
from localmixup.lab.runs.store import Store

FILE = """
import torch
from torch import nn

WIDTH = 6

def activation():
    return nn.Tanh()

class Net(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.first, self.last = nn.Linear(inputs, WIDTH), nn.Linear(WIDTH, outputs)
    def forward(self, x):
        return self.last(activation()(self.first(x)))

def make(shape, outputs):
    return Net(shape[0], outputs)

def optimizer(parameters):
    return torch.optim.SGD(parameters, lr=0.3)

class Broken(nn.Module):
    def forward(self, x):
        raise RuntimeError("no such layer")

wrong = {
    "few": lambda shape, outputs: nn.Linear(shape[0], outputs + 1),
    "none": lambda shape, outputs: nn.Identity(),
}
few, nothing = wrong["few"], wrong["none"]
number = lambda shape, outputs: 7
needs_more = lambda shape, outputs, depth: None
broken = lambda shape, outputs: Broken()
shared = nn.Linear(2, 2)
same = lambda shape, outputs: shared
steps = 5
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "nets.py").write_text(FILE)
    (tmp_path / "fails.py").write_text("import torch\n1 / 0\n")
    (tmp_path / "lacks.py").write_text("import not_installed_at_all\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path
    for name in ("nets", "fails", "lacks"):
        sys.modules.pop(name, None)


def dense(shape, outputs, width=5, gain=1.0):
    model = nn.Sequential(nn.Flatten(), nn.Linear(shape[0], width), nn.ReLU(), nn.Linear(width, outputs))
    with torch.no_grad():
        model[1].weight.mul_(gain)
    return model


def spec_of(name, seed=0, optimizer="adamw", updates=20):
    training = TrainingSpec(model=name, updates=updates, batch_size=16, optimizer=optimizer, learning_rate=0.01)
    return RunSpec(
        data=DataSpec(name="blobs", fingerprint="x"), training=training, method=MethodSpec(method="mixup"), seed=seed
    )


def finish(events):
    told = []
    while True:
        try:
            told.append(next(events))
        except StopIteration as stop:
            return told, stop.value


def test_a_model_of_a_file_trains_in_this_and_in_other_processes_alike(folder, prepared):
    name = choose_model("nets:make", (2,), 2)
    assert plain_name(name) == "nets:make"
    assert describe_model(name) == "your own, nets:make"
    assert not stays_here(name)
    specs = [spec_of(name, seed) for seed in range(2)]
    found = []
    for jobs in (1, 2):
        told, records = finish(run(specs, prepared, Store("sqlite://"), jobs=jobs))
        assert not [event for event in told if isinstance(event, Note)]
        found.append([records[spec.key].outcome.test_error for spec in specs])
    assert found[0] == found[1]
    assert max(found[0]) < 40


def test_a_function_of_a_notebook_stays_in_this_process_and_says_so(prepared):
    name = choose_model(lambda shape, outputs: dense(shape, outputs), (2,), 2)
    told, records = finish(run([spec_of(name, 0), spec_of(name, 1)], prepared, Store("sqlite://"), jobs=2))
    (note,) = [event.text for event in told if isinstance(event, Note)]
    assert "cannot be imported by other processes, so all runs are trained in this one" in note
    assert len(records) == 2


def test_equal_code_has_equal_names_in_every_process(folder):
    name = adopt_model("nets:make", (2,), 2)
    code = "from localmixup.lab.models.own import adopt_model; print(adopt_model('nets:make', (2,), 2))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == name
    state = torch.random.get_rng_state()
    assert adopt_model("nets:make", (2,), 2) == name
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("WIDTH = 6", "WIDTH = 7"),
        ("nn.Tanh()", "nn.Sigmoid()"),  # reached through a function that forward calls
        ("self.last(activation()(self.first(x)))", "self.last(self.first(x))"),
        ("return Net(shape[0], outputs)", "return Net(shape[0], outputs).requires_grad_()"),
    ],
)
def test_a_changed_model_has_another_name(folder, old, new):
    name = adopt_model("nets:make", (2,), 2)
    del sys.modules["nets"]
    (folder / "nets.py").write_text("# a comment changes nothing\n" + FILE)
    assert adopt_model("nets:make", (2,), 2) == name
    del sys.modules["nets"]
    (folder / "nets.py").write_text(FILE.replace(old, new))
    assert adopt_model("nets:make", (2,), 2) != name


def test_what_a_function_carries_with_it_counts():
    def made(width, gain=1.0):
        return lambda shape, outputs: dense(shape, outputs, width, gain)

    factories = [
        made(5), made(6), made(5, 2.0), dense, functools.partial(dense, gain=2.0), functools.partial(dense, gain=3.0),
    ]  # fmt: skip
    names = [adopt_model(factory, (2,), 2) for factory in factories]
    assert len(set(names)) == len(names)
    assert adopt_model(made(5), (2,), 2) == names[0]
    assert adopt_model(made(5), (3,), 2) != names[0]
    assert len({spec_of(name).key for name in names}) == len(names)


def test_fully_connected_models_are_stacked_and_end_up_as_alone(prepared):
    name = adopt_model(dense, (2,), 2)
    assert can_stack(build_model(name, (2,), 2))
    specs = [spec_of(name, seed) for seed in range(3)]
    assert len({stack_key(spec, prepared) for spec in specs}) == 1
    together = finish(run(specs, prepared, Store("sqlite://"), jobs=1))[1]
    for spec in specs:
        alone = finish(run([spec], prepared, Store("sqlite://"), jobs=1))[1]
        assert alone[spec.key].outcome.test_error == pytest.approx(together[spec.key].outcome.test_error, abs=1e-4)


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda s, o: nn.Sequential(nn.Linear(s[0], 4, bias=False), nn.ReLU(), nn.Linear(4, o)), (2,)),
        (lambda s, o: nn.Sequential(nn.Linear(s[-1], 4), nn.Flatten(), nn.Linear(4 * 6, o)), (2, 3, 5)),
        (lambda s, o: nn.Sequential(nn.Linear(s[0], o).requires_grad_(False), nn.Linear(o, o)), (2,)),
        (lambda s, o: nn.Sequential(nn.LazyLinear(4), nn.Tanh(), nn.LazyLinear(o)), (2,)),
        (lambda s, o: nn.Linear(s[0], o).double().float(), (2,)),
    ],
)
def test_others_compute_what_they_are_made_to_compute(make, shape):
    name = adopt_model(make, shape, 2)
    torch.manual_seed(3)
    model = build_model(name, shape, 2)
    torch.manual_seed(3)
    alone = make(shape, 2)
    x = torch.randn(4, *shape)
    alone(x)
    torch.manual_seed(3)
    alone = make(shape, 2)
    torch.testing.assert_close(stack([model])(x[None])[0], alone(x), atol=1e-6, rtol=1e-6)
    trained = [p.requires_grad for p in model.parameters()]
    assert trained == [p.requires_grad for p in stack([model]).parameters()]


def test_an_optimiser_of_ones_own(folder, prepared):
    """The same as the optimiser of the library with the same settings."""
    name = adopt_optimizer("nets:optimizer")
    model = adopt_model(dense, (2,), 2)
    assert isinstance(own_factory(name)([nn.Parameter(torch.ones(1))]), torch.optim.SGD)
    specs = [spec_of(model, seed, optimizer=name) for seed in range(2)]
    assert len({stack_key(spec, prepared) for spec in specs}) == 2
    records = finish(run(specs, prepared, Store("sqlite://"), jobs=1))[1]
    nesterov = adopt_optimizer(lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.01))
    own, ours = spec_of(model, optimizer=nesterov), spec_of(model, optimizer="nesterov")
    ours = ours.model_copy(
        update={"training": ours.training.model_copy(update={"learning_rate": 0.05, "weight_decay": 0.01})}
    )
    records |= finish(run([own, ours], prepared, Store("sqlite://"), jobs=1))[1]
    a, b = (records[spec.key].outcome for spec in (own, ours))
    assert [loss for _, loss, _ in a.curve] == pytest.approx([loss for _, loss, _ in b.curve], rel=1e-4)
    assert records[specs[0].key].outcome.test_error < 40


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("nets", "model must be one of .* got 'nets'"),
        ("nets:", "model must be of the form package.module:factory, got 'nets:'"),
        ("nest:make", r"model nest:make: no module 'nest' in the current folder \(.*\) or among those installed"),
        ("fails:make", "model fails:make: fails cannot be imported: ZeroDivisionError: division by zero"),
        ("lacks:make", "model lacks:make: lacks cannot be imported: No module named 'not_installed_at_all'"),
        ("nets:mke", "model nets:mke: nets has no 'mke'; did you mean 'make'?"),
        ("nets:steps", "model must be a name, 'package.module:factory' or a function, got int"),
        ("nets:shared", "must be a function that returns a new module for each run, .* got a Linear that is made already"),
        ("nets:number", "must return a torch.nn.Module, got int"),
        ("nets:needs_more", r"failed when called with the shape \(2,\) and 2 outputs: TypeError: .* missing 1"),
        ("nets:broken", r"failed on a batch of shape \(2, 2\): RuntimeError: no such layer"),
        ("nets:few", r"must map a batch of shape \(2, 2\) to shape \(2, 2\), one score per class, got shape \(2, 3\)"),
        ("nets:nothing", "must have parameters to train, got none"),
        ("nets:same", "must return a new module for each run, got the same parameters twice"),
        (7, "model must be a name, 'package.module:factory' or a function, got int"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_before_any_run(folder, model, message):
    with pytest.raises(ArgumentError, match=message) as caught:
        choose_model(model, (2,), 2)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("optimizer", "message"),
    [
        (lambda parameters: 3, "must return a torch.optim.Optimizer, got int"),
        (lambda parameters: torch.optim.SGD(parameters, lr=-1), "failed: ValueError: Invalid learning rate: -1"),
        (lambda parameters: torch.optim.LBFGS(parameters), "failed: TypeError: .*closure"),
        (torch.optim.SGD([nn.Parameter(torch.ones(1))]), "optimizer must be a name, .* got SGD"),
    ],
)
def test_a_wrong_optimiser_is_named(optimizer, message):
    with pytest.raises(ArgumentError, match=message):
        adopt_optimizer(optimizer)


def test_a_worker_that_holds_old_code_loads_it_anew(folder, monkeypatch):
    from localmixup.lab.models import own

    adopt_model("nets:make", (2,), 2)
    changed = FILE.replace("WIDTH = 6", "WIDTH = 70")
    (folder / "nets.py").write_text(changed)
    old = sys.modules.pop("nets")
    name = adopt_model("nets:make", (2,), 2)
    sys.modules["nets"] = old
    monkeypatch.setattr(own, "_ADOPTED", {})
    own._reimported.cache_clear()
    assert build_model(name, (2,), 2)[0].first.out_features == 70
    own._reimported.cache_clear()
    (folder / "nets.py").write_text(changed.replace("70", "9"))
    old.WIDTH = 6
    with pytest.raises(ArgumentError, match="nets:make was changed while runs were under way"):
        build_model(name, (2,), 2)
