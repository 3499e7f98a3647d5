"""The entry point: what the environment asks for, and what it may not."""

import pytest

import app


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param({"CERTFILE": "cert.pem"}, "FER_DEMO_SSL_KEYFILE must name a file, but got None", id="no-key"),
        pytest.param(
            {"KEYFILE": "key.pem"}, "FER_DEMO_SSL_CERTFILE must name a file, but got None", id="no-certificate"
        ),
        pytest.param(
            {"CERTFILE": "missing.pem", "KEYFILE": "key.pem"},
            r"FER_DEMO_SSL_CERTFILE must name a file, but got .*missing\.pem'",
            id="missing",
        ),
    ],
)
def test_half_a_certificate_is_refused(given, message, tmp_path, monkeypatch, capsys):
    for name in ("cert.pem", "key.pem"):
        (tmp_path / name).touch()
    for name, file in given.items():
        monkeypatch.setenv(f"FER_DEMO_SSL_{name}", str(tmp_path / file))
    with pytest.raises(ValueError, match=message):
        app.certificate()
    with pytest.raises(SystemExit) as ended:
        app.main([])
    assert ended.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_https_takes_both_files(tmp_path, monkeypatch):
    assert app.certificate() == {}
    for name in ("CERTFILE", "KEYFILE"):
        (tmp_path / name).touch()
        monkeypatch.setenv(f"FER_DEMO_SSL_{name}", str(tmp_path / name))
    settings = app.certificate()
    assert settings["ssl_certfile"].endswith("CERTFILE")
    assert settings["ssl_keyfile"].endswith("KEYFILE")
    assert not settings["ssl_verify"], "Gradio asks itself, with a certificate that nobody signed"


def test_a_switch_that_is_misspelled_is_refused(monkeypatch):
    assert app.cameras()
    monkeypatch.setenv("FER_DEMO_CAMERA", "off")
    assert not app.cameras()
    monkeypatch.setenv("FER_DEMO_CAMERA", "no")
    with pytest.raises(ValueError, match="FER_DEMO_CAMERA must be on or off, but got 'no'"):
        app.cameras()
