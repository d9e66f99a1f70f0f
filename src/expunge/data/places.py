"""Where decoded data are kept, and whether a source's files have changed."""

import hashlib
import os
from pathlib import Path


def default_cache() -> Path:
    """The folder in `EXPUNGE_CACHE`, otherwise `~/.cache/expunge/data`."""
    named = os.environ.get("EXPUNGE_CACHE")
    return Path(named).expanduser() if named else Path.home() / ".cache" / "expunge" / "data"


def files_digest(folder: Path) -> str:
    """Hex digest of a file's or folder's path and of its files' names, sizes and times."""
    digest = hashlib.blake2b(str(folder.resolve()).encode(), digest_size=16)
    for path in sorted(folder.rglob("*")) if folder.is_dir() else [folder]:
        if path.is_file():
            stat = path.stat()
            line = (path.relative_to(folder).as_posix(), stat.st_size, stat.st_mtime_ns)
            digest.update(repr(line).encode())
    return digest.hexdigest()
