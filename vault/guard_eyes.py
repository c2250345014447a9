# SPDX-License-Identifier: Apache-2.0
"""What a guard watches: sticks. Says whether they are there, and nothing about what follows.

A USB device is found by vendor and product in sysfs (Documentation/ABI/testing/sysfs-bus-usb: ``idVendor``,
``idProduct``), so by its kind and not its serial number: another of the same kind is as good. A token is a file on a
stick: it is there while its name is, on the same file system, whose block device still exists.
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from gettext import gettext as _
from typing import Protocol, TypeVar

from vault.errors import BadInput
from vault.names import printable
from vault.refusals import refusal

USB_DEVICES = "/sys/bus/usb/devices"
BLOCK_DEVICES = "/sys/dev/block"


class Tether(Protocol):
    """Something whose absence is a reason to act."""

    @property
    def name(self) -> str:
        """For the person, fit for a terminal."""

    def present(self) -> bool:
        """Whether it is there now. Raises nothing: what cannot be seen is not there."""


_T = TypeVar("_T", bound=Tether)


@dataclass(frozen=True, slots=True)
class UsbTether:
    """A USB device by vendor and product, four hexadecimal digits each."""

    vendor: str
    product: str
    root: str = USB_DEVICES

    @property
    def name(self) -> str:
        """``USB device 1050:0407``."""
        return _("USB device {vendor}:{product}").format(vendor=self.vendor, product=self.product)

    def present(self) -> bool:
        """Whether any device in sysfs has both numbers."""
        try:
            devices = os.listdir(self.root)
        except OSError:
            return False
        return any(
            _number(os.path.join(self.root, d, "idVendor")) == self.vendor
            and _number(os.path.join(self.root, d, "idProduct")) == self.product
            for d in devices
        )


@dataclass(frozen=True, slots=True)
class FileTether:
    """A file on a stick. ``block`` is its device in sysfs, or None where the system shows none."""

    path: str
    device: int
    block: str | None

    @property
    def name(self) -> str:
        """The file's name, escaped."""
        return _("the file {path}").format(path=printable(self.path))

    def present(self) -> bool:
        """Whether the name is there, on the same file system, above a device that exists."""
        try:
            if os.stat(self.path).st_dev != self.device:
                return False
        except OSError:
            return False
        # The kernel goes on answering from its cache when a mounted stick is pulled out.
        return self.block is None or os.path.exists(self.block)


def usb(text: str, *, root: str = USB_DEVICES, platform: str = sys.platform) -> UsbTether:
    """The device ``VENDOR:PRODUCT``, which must be there. Raises BadInput."""
    match = re.fullmatch(r"([0-9a-fA-F]{4}):([0-9a-fA-F]{4})", text)
    if match is None:
        raise BadInput(_("--usb takes vendor and product, such as 1050:0407"), _("`lsusb` lists them"))
    if platform != "linux":
        raise BadInput(_("USB devices are watched on Linux only"), _("watch a file on the stick: --token PATH"))
    return _there(UsbTether(match[1].lower(), match[2].lower(), root))


def token(path: str, *, root: str = BLOCK_DEVICES) -> FileTether:
    """The file, which must be there. Raises BadInput."""
    path = os.path.abspath(path)
    try:
        device = os.stat(path).st_dev
    except OSError as exc:
        raise BadInput(
            _("{path} cannot be seen: {reason}").format(path=printable(path), reason=refusal(exc)),
            _("is the stick in?"),
        ) from exc
    block = os.path.join(root, f"{os.major(device)}:{os.minor(device)}")
    return _there(FileTether(path, device, block if os.path.exists(block) else None))


def _there(tether: _T) -> _T:
    if not tether.present():
        raise BadInput(
            _("{name} is not there, so its leaving could not be seen").format(name=tether.name), _("put it in first")
        )
    return tether


def _number(path: str) -> str | None:
    try:
        with open(path, encoding="ascii", errors="replace") as f:
            return f.read(16).strip().lower()
    except OSError:
        return None
