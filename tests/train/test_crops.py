"""Faces are found once, cut out, and cached; what has none is recorded, not fatal."""

import json

import cv2
import numpy as np
import pytest

from fer_core.faces import FaceDetector, square_crop
from train import crops


@pytest.fixture
def data(tmp_path, astronaut):
    root = tmp_path / "data"
    root.mkdir()
    cv2.imwrite(str(root / "AF01HAS.png"), astronaut[..., ::-1])
    cv2.imwrite(str(root / "AF02NES.png"), np.full((300, 300, 3), 128, np.uint8))
    (root / "AF03ANS.png").write_bytes(b"broken")
    return root


def test_kdef_is_cut_as_the_app_cuts(data, tmp_path, astronaut, capsys):
    prepared = crops.prepare("kdef", data, tmp_path / "cache")
    assert [picture.person for picture in prepared.pictures] == ["F01", "F02", "F03"]
    assert prepared.found.tolist() == [True, False, False]
    face = FaceDetector().detect(astronaut).xyxy[0]
    np.testing.assert_array_equal(prepared.images[0], square_crop(astronaut, face, crops.SIZES["kdef"]))
    said = capsys.readouterr()
    assert "AF02NES.png: no face found" in said.out + said.err
    assert "AF03ANS.png: expected a picture" in said.out + said.err
    assert sorted(path.name for path in (tmp_path / "cache" / "crops").iterdir()) == ["kdef.json", "kdef.npy"]


def test_the_cache_is_read_back_and_checked(data, tmp_path):
    prepared = crops.prepare("kdef", data, tmp_path)
    again = crops.load("kdef", tmp_path)
    assert again.pictures == prepared.pictures
    np.testing.assert_array_equal(again.images, prepared.images)
    record = tmp_path / "crops" / "kdef.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"margin": 1.5}))
    with pytest.raises(ValueError, match=r"was prepared with \{'margin': 1\.5\}"):
        crops.load("kdef", tmp_path)


def test_missing_crops_name_the_command(tmp_path):
    with pytest.raises(FileNotFoundError, match="raf-db is not prepared: run 'python -m train prepare --raf-db PATH'"):
        crops.load("raf-db", tmp_path)


def test_the_cache_lies_where_the_user_says(monkeypatch, tmp_path):
    monkeypatch.setenv("FER_CACHE", str(tmp_path))
    assert crops.default_cache() == tmp_path
    monkeypatch.delenv("FER_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert crops.default_cache() == tmp_path / "fer-demo"
