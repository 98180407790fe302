"""The disk without its syncs."""

from __future__ import annotations

from pathlib import Path

from psmr.storage.files import Files


class UnsyncedFiles(Files):
    """Syncs nothing: for whoever loses no power and does not outlive the process."""

    def fsync(self, fd: int) -> None:
        """Nothing."""

    def fdatasync(self, fd: int) -> None:
        """Nothing."""

    def sync_folder(self, folder: Path) -> None:
        """Nothing."""
