# SPDX-License-Identifier: Apache-2.0
import os

import pytest
from platformdirs.macos import MacOS
from platformdirs.unix import Unix
from platformdirs.windows import get_win_folder_from_env_vars

from vault.place import NoPlace, default_folder, vault_folder


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SANDYK_VAULT", "XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("data_home", [None, "", "/elsewhere", "relative/path"])
def test_linux_is_where_platformdirs_says(monkeypatch: pytest.MonkeyPatch, data_home: str | None) -> None:
    if data_home is not None:
        monkeypatch.setenv("XDG_DATA_HOME", data_home)
    assert default_folder("linux") == Unix("sandyk").user_data_dir


def test_macos_is_where_platformdirs_says() -> None:
    assert default_folder("darwin") == MacOS("sandyk").user_data_dir


def test_windows_is_where_platformdirs_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALAPPDATA", r"C:\Users\a\AppData\Local")
    assert default_folder("win32") == get_win_folder_from_env_vars("CSIDL_LOCAL_APPDATA") + "\\sandyk"


def test_windows_without_its_variable_is_no_place() -> None:
    with pytest.raises(NoPlace):
        default_folder("win32")


def test_the_argument_comes_before_the_variable_before_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert vault_folder() == default_folder("linux")
    monkeypatch.setenv("SANDYK_VAULT", "/from/variable")
    assert vault_folder() == "/from/variable"
    assert vault_folder("/from/argument") == "/from/argument"


def test_an_empty_variable_counts_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDYK_VAULT", "")
    assert vault_folder() == default_folder("linux")


def test_a_relative_path_becomes_absolute() -> None:
    assert vault_folder("x/../y") == os.path.join(os.getcwd(), "y")


def test_no_home_folder_is_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "nowhere")
    with pytest.raises(NoPlace):
        default_folder("linux")


def test_a_relative_path_in_a_removed_folder_is_no_place(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = f"{tmp_path}/gone"
    os.mkdir(gone)
    monkeypatch.chdir(gone)
    os.rmdir(gone)
    with pytest.raises(NoPlace):
        vault_folder("relative")
