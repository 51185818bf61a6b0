"""What the image adds to its base: layers, and megabytes as they travel (gzip, level 6)."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
import zlib
from typing import IO, Any

CHUNK = 1 << 20
DEFAULT = "mattermod-action"


def measure(name: str = DEFAULT, base: str = "") -> dict[str, Any]:
    """Return `layers` and `megabytes` that `name` has beyond `base` (found by the layers they share)."""
    from sandbox.act import base as base_of_dockerfile

    mine, theirs = _layers(name), _layers(base or base_of_dockerfile())
    if mine[: len(theirs)] != theirs:
        raise RuntimeError(f"{name} is not built on {base or base_of_dockerfile()}: build it again")
    return {"layers": len(mine) - len(theirs), "megabytes": round(_compressed(name, len(theirs)) / 1e6, 1)}


def _layers(name: str) -> list[str]:
    command = ["docker", "image", "inspect", "--format", "{{json .RootFS.Layers}}", name]
    return list(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def _compressed(name: str, skip: int) -> int:
    """Save the image and compress each layer after the first `skip`."""
    saved = subprocess.run(["docker", "save", name], check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(saved)) as archive:
        manifest = archive.extractfile("manifest.json")
        layers = json.load(manifest)[0]["Layers"] if manifest else []
        files = [archive.extractfile(layer) for layer in layers[skip:]]
        return sum(_gzipped(file) for file in files if file)


def _gzipped(file: IO[bytes]) -> int:
    squeeze, size = zlib.compressobj(6), 0
    while chunk := file.read(CHUNK):
        size += len(squeeze.compress(chunk))
    return size + len(squeeze.flush())
