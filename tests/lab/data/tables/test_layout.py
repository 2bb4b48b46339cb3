"""Text files of every layout hold the same table as a plain one."""

import bz2
import gzip
import lzma
import re
import zipfile

import numpy as np
import pandas as pd
import pytest

from localmixup._validate import ArgumentError
from localmixup.lab.data.reading import Reading
from localmixup.lab.data.sources import load

ROWS = 60
RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "a": np.round(RNG.normal(size=ROWS) * 10, 2),
        "b": RNG.integers(1000, 99_999, ROWS),
        "c": RNG.choice(["red", "green"], ROWS),
        "kind": RNG.choice(["cat", "dog"], ROWS),
    }
)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    path = tmp_path_factory.mktemp("plain") / "a.csv"
    FRAME.to_csv(path, index=False)
    return load(str(path), target="kind")


def csv(**options):
    return FRAME.to_csv(**{"index": False, **options})


def assert_same(found, expected):
    np.testing.assert_array_equal(found.x, expected.x)
    np.testing.assert_array_equal(found.y, expected.y)
    assert found.class_names == expected.class_names


LAYOUTS = {
    "semicolons": csv(sep=";"),
    "tabs": csv(sep="\t"),
    "vertical bars": csv(sep="|"),
    "blanks": csv(sep=" "),
    "aligned by blanks": FRAME.to_string(index=False),
    "decimal commas": csv(sep=";", decimal=","),
    "decimal commas and tabs": csv(sep="\t", decimal=","),
    "decimal commas in quotes": csv(decimal=","),
    "everything quoted": csv(quoting=1),
    "line ends of Windows": csv(lineterminator="\r\n"),
    "line ends of old Macs": csv(lineterminator="\r"),
    "blanks after commas": csv().replace(",", ", "),
    "blanks around values": csv().replace(",", "  ,  "),
    "a title and an empty line": "Pets of the year\n\n" + csv(),
    "remarks": "# made by hand\n# in two lines, with a comma\n" + csv(),
    "names in a remark": "# made by hand\n# " + csv(),
    "remarks in between": csv().replace("\n", "\n# a remark\n", 3),
    "empty lines in between": csv().replace("\n", "\n\n"),
    "the hint of Excel": "sep=;\n" + csv(sep=";"),
    "a comma at the end of each line": csv().replace("\n", ",\n"),
    "row numbers without a name": csv(index=True),
    "row numbers and one name too few": csv(index=True).replace(",", "", 1),
    "row names of R": FRAME.to_csv(sep=" ", index=True, quoting=2).replace('"" ', "", 1),
    "thousands": FRAME.assign(b=FRAME["b"].map("{:,}".format)).to_csv(index=False),
    "thousands of Germany": FRAME.assign(
        a=FRAME["a"].map(lambda v: str(v).replace(".", ",")), b=FRAME["b"].map(lambda v: f"{v:,}".replace(",", "."))
    ).to_csv(index=False, sep=";"),
    "per cent and currency": FRAME.assign(a=FRAME["a"].map("{} %".format), b=FRAME["b"].map("${}".format)).to_csv(
        index=False
    ),
    "units": FRAME.assign(a=FRAME["a"].map("{} mm".format), b=FRAME["b"].map("{}kg".format)).to_csv(index=False),
    "single quotes": FRAME.map("'{}'".format).to_csv(index=False),
    "a line drawn under the names": csv(sep=" ").replace("\n", "\n" + 60 * "-" + "\n", 1),
    "a table of Markdown": "|"
    + csv(sep="|").replace("\n", "|\n|").removesuffix("|").replace("\n", "\n|---|---|---|---|\n", 1),
    "the minus sign of print": csv().replace("-", "\u2212"),
}


@pytest.mark.parametrize("text", LAYOUTS.values(), ids=LAYOUTS)
def test_every_layout_is_the_same_table(tmp_path, plain, text):
    (tmp_path / "a.txt").write_text(text, newline="")
    assert_same(load(str(tmp_path / "a.txt"), target="kind"), plain)


@pytest.mark.parametrize("sep", [",", ";", "\t", " ", "|"])
def test_a_missing_header_is_noticed(tmp_path, plain, sep):
    (tmp_path / "a.data").write_text(csv(header=False, sep=sep))
    data = load(str(tmp_path / "a.data"), target="4")
    assert_same(data, plain)
    assert any("the first line holds values" in note for note in data.notes)
    with pytest.raises(ArgumentError, match="say which column to predict with --target; there are 1, 2, 3, 4"):
        load(str(tmp_path / "a.data"))


def test_a_missing_header_of_text_is_noticed(tmp_path):
    rows = [",".join(RNG.choice(list("xyz"), 5)) for _ in range(80)]
    (tmp_path / "a.data").write_text("\n".join(rows))
    data = load(str(tmp_path / "a.data"), target="1")
    assert len(data.x) == 80
    assert any("come again below it" in note for note in data.notes)
    (tmp_path / "b.data").write_text("\n".join(["first,second,third,fourth,fifth", *rows]))
    assert len(load(str(tmp_path / "b.data"), target="first").x) == 80


def test_names_that_count_are_names(tmp_path):
    values = pd.DataFrame(RNG.normal(size=(40, 4)).round(3), columns=[2018, 2019, 2020, 2021])
    values.assign(kind=["a", "b"] * 20).to_csv(tmp_path / "years.csv", index=False)
    data = load(str(tmp_path / "years.csv"), target="kind")
    assert [column.name for column in data.columns] == ["2018", "2019", "2020", "2021"]


def test_the_user_overrides_what_is_found(tmp_path, plain):
    (tmp_path / "a.csv").write_text(csv(sep="~"))
    assert_same(load(str(tmp_path / "a.csv"), target="kind", reading=Reading(sep="~")), plain)
    (tmp_path / "a.csv").write_text(csv(sep="\t"))
    assert_same(load(str(tmp_path / "a.csv"), target="kind", reading=Reading(sep="tab")), plain)
    (tmp_path / "a.csv").write_text("1,2,3\n" + csv(header=False, columns=["a", "b", "kind"]))
    named = load(str(tmp_path / "a.csv"), target="3", reading=Reading(header="yes"))
    assert len(named.x) == ROWS
    with pytest.raises(ArgumentError, match="--sep must be one character"):
        load(str(tmp_path / "a.csv"), target="kind", reading=Reading(sep="ab"))
    with pytest.raises(ArgumentError, match="this table cannot be read with --query: leave it out"):
        load(str(tmp_path / "a.csv"), target="kind", reading=Reading(query="select 1"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "\n".join([*csv().splitlines()[:30], "1,2,x,cat,5", *csv().splitlines()[30:]]),
            "line 31 holds 5 values, the lines before it 4",
        ),
        ("\n".join([*csv().splitlines()[:30], "1,2", *csv().splitlines()[30:]]), "line 31 holds 2 values"),
        ("a,b\n" + "".join(f"{i % 7}.5,{i},2\n" for i in range(40)), "there are 2 names .a, b. for 3 values in a row"),
        ("a,b,c,d\n" + "1,2,x\n" * 40, "there are 4 names for 3 values in a row"),
        ("only one column\n" + "12\n" * 40, "there is only one value in a line"),
    ],
)
def test_ragged_tables_are_refused_with_the_line(tmp_path, text, message):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(ArgumentError, match=message) as caught:
        load(str(tmp_path / "a.csv"), target="kind")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252"])
def test_every_encoding(tmp_path, encoding):
    frame = FRAME.assign(kind=np.where(FRAME["kind"] == "cat", "chat botté", "chien à poil"), größe=FRAME["a"])
    (tmp_path / "a.csv").write_bytes(frame.to_csv(index=False).encode(encoding))
    data = load(str(tmp_path / "a.csv"), target="kind")
    assert data.class_names == ("chat botté", "chien à poil")
    assert data.columns[-1].name == "größe"
    assert any("not UTF-8" in note for note in data.notes) == (encoding == "cp1252")


def test_an_odd_letter_far_below(tmp_path):
    text = "a,b,kind\n" + "1.5,2.5,cat\n2.5,3.5,dog\n" * 50_000 + "1.5,2.5,vélo\n" * 20
    (tmp_path / "a.csv").write_bytes(text.encode("cp1252"))
    assert load(str(tmp_path / "a.csv"), target="kind").class_names == ("cat", "dog", "vélo")


@pytest.mark.parametrize("suffix", ["gz", "bz2", "xz", "zst", "zip"])
def test_every_compression(tmp_path, plain, suffix):
    path, content = tmp_path / f"a.csv.{suffix}", csv().encode()
    if suffix == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("folder/a.csv", content)
            archive.writestr("__MACOSX/folder/._a.csv", b"rubbish")
    elif suffix == "zst":
        pyarrow = pytest.importorskip("pyarrow")
        path.write_bytes(pyarrow.compress(content, codec="zstd", asbytes=True))
    else:
        path.write_bytes({"gz": gzip, "bz2": bz2, "xz": lzma}[suffix].compress(content))
    assert_same(load(str(path), target="kind"), plain)


def test_archives_that_are_no_table(tmp_path):
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("a.csv", csv())
        archive.writestr("b.csv", csv())
    with pytest.raises(ArgumentError, match=r"must hold one table, got 2 files \(a.csv, b.csv\); unpack it"):
        load(str(tmp_path / "two.zip"), target="kind")
    (tmp_path / "broken.csv.gz").write_bytes(gzip.compress(csv().encode())[:-20])
    with pytest.raises(ArgumentError, match="cannot be read"):
        load(str(tmp_path / "broken.csv.gz"), target="kind")


@pytest.mark.parametrize("columns", [31, 32, 100])
def test_of_many_columns_the_last_one_is_named_too(tmp_path, columns):
    names = [f"column{k}" for k in range(columns - 1)] + ["outcome"]
    (tmp_path / "wide.csv").write_text("\n".join([",".join(names), *[",".join(["1.5"] * columns)] * 3]))
    with pytest.raises(ArgumentError, match=r"there are column0, column1, .*\boutcome$") as raised:
        load(str(tmp_path / "wide.csv"))
    told = str(raised.value).partition("there are ")[2]
    more = int(found[1]) if (found := re.search(r", (\d+) more, and ", told)) else 0
    assert told.count("column") + 1 + more == columns
    assert more != 1
