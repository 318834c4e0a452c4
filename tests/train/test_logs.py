# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""log.csv, and a log without TensorBoard."""

from efm3.train import logs

NEEDS = ("torch",)


def test_the_log_survives_without_tensorboard(tmp_path, monkeypatch, capsys):
    import builtins
    real = builtins.__import__

    def no(name, *a, **k):
        if "tensorboard" in name:
            raise ImportError(name)
        return real(name, *a, **k)
    log = logs.Log(tmp_path, True, 4)
    row = {"epoch": 1, "step": 2, "loss": 1.5, "train_acc": 0.25, "lr": 1e-3, "margin": 0.5,
           "images_per_s": 10.0, "epoch_s": 2.0, "data_share": 0.1, "val_acc": None}
    with monkeypatch.context() as m:
        m.setattr(builtins, "__import__", no)
        log.epoch([row])
        log.epoch([row, row | {"epoch": 2}])
    log.close()
    assert capsys.readouterr().err.count("no TensorBoard log") == 1
    text = (tmp_path / "log.csv").read_text().splitlines()
    assert text[0].split(",") == list(logs.COLUMNS) and len(text) == 3
    assert text[1] == "1,2,1.5,0.25,0.001,0.5,10,2,0.1,"


def test_a_silent_log_writes_nothing(tmp_path, capsys):
    log = logs.Log(tmp_path, False, 4)
    log.epoch([{"epoch": 1, "step": 2, "loss": 1.0}])
    log.step(1, "x", True)
    log.curves()
    assert not list(tmp_path.iterdir()) and capsys.readouterr().err == ""
