# SPDX-License-Identifier: Apache-2.0
"""Whether a stick is there, by a folder that looks like sysfs and by real files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vault import guard_eyes
from vault.errors import BadInput


def plug_in(root: Path, name: str, vendor: str, product: str) -> Path:
    device = root / name
    device.mkdir(parents=True)
    (device / "idVendor").write_text(vendor + "\n")
    (device / "idProduct").write_text(product + "\n")
    return device


def test_a_usb_device_is_there_while_sysfs_lists_it(tmp_path: Path) -> None:
    (tmp_path / "1-0:1.0").mkdir()  # an interface: it has no numbers
    plug_in(tmp_path, "usb1", "1d6b", "0002")
    device = plug_in(tmp_path, "1-2", "1050", "0407")
    tether = guard_eyes.usb("1050:0407", root=str(tmp_path), platform="linux")
    assert tether.present()
    assert tether.name == "USB device 1050:0407"
    device.rename(tmp_path.parent / "pulled out")
    assert not tether.present()


def test_letters_may_be_large_or_small(tmp_path: Path) -> None:
    plug_in(tmp_path, "1-1", "abcd", "00ef")
    assert guard_eyes.usb("ABCD:00EF", root=str(tmp_path), platform="linux").present()


def test_another_product_of_the_same_vendor_is_another_device(tmp_path: Path) -> None:
    plug_in(tmp_path, "1-1", "1050", "0406")
    with pytest.raises(BadInput, match="not there"):
        guard_eyes.usb("1050:0407", root=str(tmp_path), platform="linux")


def test_vendor_and_product_are_looked_for_in_one_device(tmp_path: Path) -> None:
    plug_in(tmp_path, "1-1", "1050", "0406")
    plug_in(tmp_path, "1-2", "1051", "0407")
    with pytest.raises(BadInput):
        guard_eyes.usb("1050:0407", root=str(tmp_path), platform="linux")


@pytest.mark.parametrize(
    "text", ["", "1050", "1050:407", "1050:0407:1", "10500:0407", "105g:0407", "١٢٣٤:0407", "../x:0407"]
)
def test_what_is_no_vendor_and_product_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadInput, match="vendor"):
        guard_eyes.usb(text, root=str(tmp_path), platform="linux")


def test_where_there_is_no_sysfs_usb_is_refused_and_a_file_offered(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="Linux only"):
        guard_eyes.usb("1050:0407", root=str(tmp_path), platform="darwin")


def test_a_file_is_there_while_its_name_is(tmp_path: Path) -> None:
    path = tmp_path / "half"
    path.write_bytes(b"x")
    tether = guard_eyes.token(str(path), root=str(tmp_path / "none"))
    assert tether.present()
    path.unlink()
    assert not tether.present()
    path.write_bytes(b"x")
    assert tether.present()


def test_a_file_is_gone_with_its_device_even_while_the_cache_still_shows_it(tmp_path: Path) -> None:
    path = tmp_path / "half"
    path.write_bytes(b"x")
    number = os.stat(path).st_dev
    device = tmp_path / "block" / f"{os.major(number)}:{os.minor(number)}"
    device.mkdir(parents=True)
    tether = guard_eyes.token(str(path), root=str(tmp_path / "block"))
    assert tether.present()
    device.rmdir()
    assert path.exists() and not tether.present()


def test_the_same_name_on_another_file_system_is_not_the_stick(tmp_path: Path) -> None:
    """The mount point's own folder may hold a file of that name."""
    path = tmp_path / "half"
    path.write_bytes(b"x")
    assert not guard_eyes.FileTether(str(path), os.stat(path).st_dev + 1, None).present()


def test_a_file_that_is_not_there_cannot_be_watched(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be seen"):
        guard_eyes.token(str(tmp_path / "no\x1b[31m"))
