"""Readers of the data sets, and splits that keep people apart."""

import dataclasses
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_core.emotions import EMOTIONS, KDEF_ANGLES, KDEF_EMOTIONS
from tests.conftest import shared
from train.data import READERS, Picture, Source, find_data, kdef_folds, one_hot, read_fer_plus, read_kdef, split


def make_folder(root, names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    return root


def make_zip(root, names):
    path = root / "data.zip"
    with zipfile.ZipFile(path, "w") as file:
        for name in names:
            file.writestr(name, b"")
    return path


KDEF_NAMES = ["AF01ANS.JPG", "BM35SUFL.JPG", "af02hahr.jpg", "AF01XXS.JPG", "Thumbs.db"]


@pytest.mark.parametrize("make", [make_folder, make_zip], ids=["folder", "zip"])
@pytest.mark.parametrize(
    "layout",
    [
        pytest.param(lambda name: f"KDEF/{name[:4]}/{name}", id="original"),
        pytest.param(lambda name: name, id="flat"),
    ],
)
def test_kdef_file_names_say_everything(tmp_path, make, layout):
    source = Source(make(tmp_path, [layout(name) for name in KDEF_NAMES]))
    found = {(picture.person, picture.emotion, picture.angle) for picture in read_kdef(source)}
    assert found == {("F01", "anger", "S"), ("M35", "surprise", "FL"), ("F02", "happiness", "HR")}


def test_raf_db_codes(tmp_path):
    names = [f"raf-db/{part}/{code}/{part}_{code}.jpg" for part in ("train", "test") for code in range(1, 8)]
    pictures = READERS["raf-db"](Source(make_folder(tmp_path, [*names, "raf-db/train/8/x.jpg", "raf-db/readme.txt"])))
    by_path = {picture.path: (picture.part, picture.emotion) for picture in pictures}
    assert len(pictures) == 14
    assert by_path["raf-db/test/1/test_1.jpg"] == ("test", "surprise")
    assert by_path["raf-db/train/7/train_7.jpg"] == ("train", "neutral")


# Columns: neutral, happiness, surprise, sadness, anger, disgust, fear, contempt, unknown, not-a-face.
@pytest.mark.parametrize(
    ("votes", "expected"),
    [
        pytest.param("4,0,0,1,3,2,0,0,0,0", (None, 0.4), id="no-majority"),
        pytest.param("9,0,0,1,0,0,0,0,0,0", ("neutral", 0.9), id="majority"),
        pytest.param("3,0,0,1,0,0,0,6,0,0", None, id="too-few-votes-for-the-seven"),
        pytest.param("5,0,0,0,0,0,0,6,0,0", (None, 1.0), id="contempt-leads"),
        pytest.param("0,5,0,0,0,0,0,0,5,0", ("happiness", 1.0), id="five-unknown-are-allowed"),
        pytest.param("0,5,0,0,0,0,0,0,3,3", None, id="six-unknown-or-no-face-are-not"),
        pytest.param("5,5,0,0,0,0,0,0,0,0", (None, 0.5), id="exactly-half-is-no-majority"),
    ],
)
def test_fer_plus_votes(tmp_path, votes, expected):
    (tmp_path / "FER2013Test").mkdir()
    filler = 'fer9.jpg,"(0, 0, 48, 48)",10,0,0,0,0,0,0,0,0,0\n'
    (tmp_path / "FER2013Test" / "label.csv").write_text(f'fer1.jpg,"(0, 0, 48, 48)",{votes}\n' + filler)
    found = {picture.path: picture for picture in read_fer_plus(Source(tmp_path))}
    if expected is None:
        assert "FER2013Test/fer1.jpg" not in found
    else:
        picture = found["FER2013Test/fer1.jpg"]
        assert (picture.emotion, max(picture.target)) == expected
        assert sum(picture.target) == pytest.approx(1)


def test_fer_plus_rows_are_checked(tmp_path):
    (tmp_path / "FER2013Test").mkdir()
    (tmp_path / "FER2013Test" / "label.csv").write_text("fer1.jpg,1,2\n")
    with pytest.raises(ValueError, match="expected 12 columns, but got 3"):
        read_fer_plus(Source(tmp_path))


@pytest.mark.parametrize("name", list(READERS))
def test_something_else_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match="but found none of it"):
        READERS[name](Source(make_folder(tmp_path, ["holiday.jpg"])))


def test_sources_are_checked(tmp_path):
    with pytest.raises(FileNotFoundError, match="found nothing"):
        Source(tmp_path / "missing.zip")
    (tmp_path / "text.zip").write_text("text")
    with pytest.raises(ValueError, match=r"text\.zip must be a folder or a \.zip file"):
        Source(tmp_path / "text.zip")


def test_data_is_looked_for_beside_the_others(tmp_path):
    (tmp_path / "kdef").mkdir()
    assert find_data("kdef", None, tmp_path) == tmp_path / "kdef"
    with pytest.raises(FileNotFoundError, match="raf-db is needed, but was not found"):
        find_data("raf-db", None, tmp_path)


PEOPLE = [f"{sex}{number:02}" for sex in "FM" for number in range(1, 31)]
KDEF = [
    Picture(f"{session}{person}{emotion}{angle}.JPG", name, one_hot(name), "all", person, angle)
    for session in "AB"
    for person in PEOPLE
    for emotion, name in KDEF_EMOTIONS.items()
    for angle in KDEF_ANGLES
]


@pytest.mark.parametrize("fold", range(5))
def test_no_person_stands_on_two_sides(fold):
    parts = split("kdef", KDEF, fold)
    people = {part: {KDEF[index].person for index in indices} for part, indices in parts.items()}
    assert not people["train"] & people["test"]
    assert not people["train"] & people["validation"]
    assert not people["validation"] & people["test"]
    assert [len(people[part]) for part in ("train", "validation", "test")] == [44, 4, 12]
    assert sum(map(len, parts.values())) == len(KDEF)
    assert {person[0] for person in people["test"]} == {"F", "M"}


def test_folds_cover_everybody_once_and_are_always_the_same():
    folds = kdef_folds(PEOPLE)
    assert sorted(person for fold in folds for person in fold) == PEOPLE
    assert folds == kdef_folds(PEOPLE[::-1] * 2)


@st.composite
def crowds(draw) -> list[str]:
    """Any people by KDEF's names, five of each sex at least."""
    numbers = [draw(st.sets(st.integers(1, 35), min_size=5, max_size=35)) for _ in "FM"]
    return [f"{sex}{number:02}" for sex, chosen in zip("FM", numbers, strict=True) for number in chosen]


@given(people=crowds(), fold=st.integers(0, 4))
@settings(deadline=None, max_examples=50)
def test_no_person_of_any_crowd_stands_on_two_sides(people, fold):
    pictures = [
        Picture(f"{person}{index}", "fear", one_hot("fear"), "all", person, "S") for person in people for index in "ab"
    ]
    parts = split("kdef", pictures, fold)
    sides = [{pictures[index].person for index in parts[part]} for part in ("train", "validation", "test")]
    assert all(sides)
    assert sum(map(len, sides)) == len(set.union(*sides)) == len(people)
    assert sides[2] == set(kdef_folds(people)[fold])


def test_too_few_people_are_named():
    pictures = [Picture(f"{person}.JPG", "fear", one_hot("fear"), "all", person, "S") for person in PEOPLE[:33]]
    with pytest.raises(ValueError, match="need at least 5 women and 5 men, but got 30 and 3"):
        split("kdef", pictures)


@pytest.mark.parametrize("seed", range(5))
def test_the_papers_split_mixes_people_and_balances_emotions(seed):
    parts = split("kdef", KDEF, mixed_seed=seed)
    assert sorted(np.concatenate(list(parts.values()))) == list(range(len(KDEF)))
    shares = {part: len(indices) / len(KDEF) for part, indices in parts.items()}
    assert shares == pytest.approx({"train": 0.8, "validation": 0.1, "test": 0.1}, abs=0.001)
    for indices in parts.values():
        counts = np.unique([KDEF[index].emotion for index in indices], return_counts=True)[1]
        assert len(counts) == 7
        assert np.ptp(counts) <= 2
    people = {part: {KDEF[index].person for index in indices} for part, indices in parts.items()}
    assert people["test"] & people["train"], "this is what the other split prevents"


def test_the_papers_split_depends_on_its_seed_and_on_file_names_alone():
    first, again, other = (split("kdef", KDEF, mixed_seed=seed)["test"] for seed in (0, 0, 1))
    assert first.tolist() == again.tolist() != other.tolist()
    moved = [dataclasses.replace(picture, path=f"elsewhere/{picture.path.lower()}") for picture in KDEF[::-1]]
    test = {KDEF[index].path for index in first}
    assert {moved[index].path.split("/")[1].upper() for index in split("kdef", moved, mixed_seed=0)["test"]} == {
        path.upper() for path in test
    }


def test_raf_db_validation_comes_from_its_training_part():
    pictures = [
        Picture(f"{part}/{index}", EMOTIONS[index % 7], one_hot(EMOTIONS[index % 7]), part)
        for part in ("train", "test")
        for index in range(700)
    ]
    parts = split("raf-db", pictures)
    assert {pictures[index].part for index in parts["test"]} == {"test"}
    assert {pictures[index].part for index in [*parts["train"], *parts["validation"]]} == {"train"}
    assert [len(parts[part]) for part in ("train", "validation", "test")] == [665, 35, 700]


def test_ferplus_test_has_3096_pictures():
    pictures = read_fer_plus(Source(shared("data/ferplus.zip")))
    assert sum(pictures[index].emotion is not None for index in split("ferplus", pictures)["test"]) == 3096


def test_the_shared_data_sets_are_read_in_full():
    kdef = read_kdef(Source(shared("data/kdef.zip")))
    assert (len(kdef), len({picture.person for picture in kdef})) == (4189, 60)
    raf_db = READERS["raf-db"](Source(shared("data/raf-db.zip")))
    assert len(raf_db) == 15339
    assert len(split("raf-db", raf_db)["test"]) == 3068
