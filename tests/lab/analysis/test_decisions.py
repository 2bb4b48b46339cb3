"""The sentence at the end of a comparison."""

import re

import pytest
from made_up import result

from localmixup.lab.analysis.decisions import verdict_of
from localmixup.lab.analysis.table import table_of
from localmixup.lab.runs.spec import MethodSpec

LOCAL = MethodSpec(method="local-threshold", parameter=1.0, kept_share=0.05, mixed_share=0.5)
LABEL = "local mixup, threshold"


def noisy(mean, shift):
    return [mean + 0.1 * ((k * shift) % 5 - 2) for k in range(5)]


def verdict(local, vanilla=10.0, mixup=10.0, share=10.0, chosen=None):
    rows = [
        result("vanilla", noisy(vanilla, 1), method=MethodSpec(method="vanilla")),
        result("mixup", noisy(mixup, 2), method=MethodSpec(method="mixup")),
    ]
    label = LABEL
    if chosen is not None:
        rows.append(rows[0].labelled(LABEL))
        label += ", its best graph"
    rows += [
        result(label, noisy(local, 4), method=LOCAL),
        result(f"{label}: mixup at the same mixed share", noisy(share, 3), control_of=label),
        rows[1].labelled(f"{label}: mixup with the loss x 1", control_of=label),
    ]
    return verdict_of(table_of(rows), "toys")[0]


@pytest.mark.parametrize(
    ("errors", "parts"),
    [
        ({"local": 5.0}, ["On toys, locality helps mixup", "5.00 % against 10.00 %", "better than vanilla training"]),
        ({"local": 15.0}, ["locality harms mixup", "worse than vanilla training"]),
        ({"local": 10.02}, ["no effect of locality is shown", "not distinguishable from vanilla"]),
        # better than plain mixup, but not better than mixup of as few samples: that is not locality
        ({"local": 5.0, "share": 5.0}, ["no effect of locality is shown", "for mixup at the same mixed share"]),
        ({"local": 5.0, "share": 7.0, "mixup": 20.0}, ["locality helps mixup", "against 7.00 %", "mixup harms"]),
        ({"local": 10.0, "mixup": 5.0, "share": 5.0}, ["locality harms", "against vanilla training mixup helps"]),
        (
            {"local": 5.0, "share": 9.0, "mixup": 20.0, "vanilla": 5.0, "chosen": "vanilla"},
            ["locality helps mixup", "its best graph", "the validation split preferred vanilla training"],
        ),
    ],
)
def test_the_verdict_says_what_was_found_in_one_sentence(errors, parts):
    sentence = verdict(**errors)
    for part in parts:
        assert part in sentence
    assert sentence.count(".") - len(re.findall(r"\d\.\d", sentence)) == 1


def test_the_details_name_every_comparison_of_mixup_and_of_local_methods():
    rows = [
        result("vanilla", noisy(10, 1), method=MethodSpec(method="vanilla")),
        result("mixup", noisy(12, 2), method=MethodSpec(method="mixup")),
        result(LABEL, noisy(11, 4), method=LOCAL),
        result(f"{LABEL}: as often", noisy(9, 3), control_of=LABEL),
    ]
    _, details = verdict_of(table_of(rows), "toys")
    assert [line.split(":")[0] for line in details] == [
        "mixup against vanilla", f"{LABEL} against vanilla", f"{LABEL} against mixup", f"{LABEL} against as often"
    ]  # fmt: skip
    assert details[0].startswith("mixup against vanilla: +2.00 points (95 % ")


def test_one_seed_gives_no_verdict():
    sentence, _ = verdict_of(table_of([result("only", [1.0])]), "toys")
    assert "one seed allows no interval and no test" in sentence


def test_methods_without_a_graph_are_judged_against_vanilla_training():
    vanilla, same = result("vanilla", noisy(10, 1)), result("manifold", noisy(10.02, 3))
    better, worse = result("regmixup", noisy(8, 2)), result("cutmix", noisy(12, 4))
    sentence, _ = verdict_of(table_of([vanilla, better, worse, same]), "pets")
    assert sentence == "On pets, regmixup is better than vanilla training, cutmix is worse than vanilla training."
    sentence, _ = verdict_of(table_of([vanilla, same]), "pets")
    assert sentence == "On pets, no method is shown to differ from vanilla training."
    assert "nothing was compared" in verdict_of(table_of([vanilla]), "pets")[0]
