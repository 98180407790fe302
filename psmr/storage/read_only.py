"""Files of a folder that is only looked at."""

from __future__ import annotations

import os
from pathlib import Path

from psmr.storage.files import Files


class ReadOnlyFiles(Files):
    """System calls for reading: a file is opened as such, so none of its bytes can be changed, whatever is called."""

    def open_file(self, path: Path) -> int:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
