"""Which Triton runs here, and what it needs around it.

A ``tritonserver`` on the PATH (NVIDIA's container, a build of one's own) brings its C++ backends and is taken as it is.
Otherwise the binary in the ``nvidia-pytriton`` wheel runs. The wheel has the Python backend only, so a backend folder
is assembled for it: the Python backend, its stub for this interpreter, and our Python-based backends beside it.
Triton finds ``<backend folder>/onnxruntime/model.py`` and uses it for every model with ``backend: "onnxruntime"``.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from voicestress_triton.errors import ModelRepositoryError, TritonMissingError

_BACKENDS = Path(__file__).parent / "backends"
_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
_STUB = "triton_python_backend_stub"
_CACHE_LIBRARY = "libtritoncache_local.so"


@dataclass(frozen=True)
class Runtime:
    """A Triton that can run here: its binary, the flags it needs to find its backends, and its environment.

    ``caches`` is the folder of its response caches, None where it knows them itself.
    """

    binary: Path
    flags: tuple[str, ...]
    environment: dict[str, str]
    from_wheel: bool
    caches: Path | None = None

    def cache_flags(self, megabytes: int) -> tuple[str, ...]:
        """The flags for a response cache of ``megabytes``.

        Raises:
            TritonMissingError: this Triton comes without one.
        """
        flags = (f"--cache-config=local,size={megabytes * 2**20}",)
        if self.caches is None:
            return flags
        if not (self.caches / "local" / _CACHE_LIBRARY).is_file():
            raise TritonMissingError(
                f"the Triton here has no response cache ({_CACHE_LIBRARY} is missing in {self.caches / 'local'}): "
                "leave it out, or put NVIDIA's tritonserver, which has one, on the PATH"
            )
        return (*flags, f"--cache-directory={self.caches}")


def installed_tritonserver() -> Path | None:
    """The ``tritonserver`` on the PATH, or None."""
    found = shutil.which("tritonserver")
    return Path(found) if found else None


def prepare_runtime(scratch: Path) -> Runtime:
    """The Triton to run; what has to be assembled for it goes into the folder ``scratch``.

    Raises:
        TritonMissingError: there is none, or it lacks a library; the message says what to install.
    """
    installed = installed_tritonserver()
    if installed is not None:
        return Runtime(installed, (), _private(dict(os.environ)), from_wheel=False)
    wheel = _wheel_folder()
    environment = _private(_wheel_environment(wheel))
    backends = scratch / "backends"
    # Copies, not links: Triton refuses a backend library whose real path leaves the backend folder, and changes the
    # mode of a stub that does not start. The stub copied here is a megabyte; the one in the wheel stays as it is.
    shutil.copytree(wheel / "backends" / "python", backends / "python", ignore=shutil.ignore_patterns("__pycache__"))
    stub = shutil.copy(_stub(wheel), backends / "python" / _STUB)
    shutil.copytree(_BACKENDS, backends, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    check_stub_starts(Path(stub), environment)
    # Completing configurations costs one more Python process a model, and 1.2 s of start-up (measured); a model in
    # this project states its whole configuration.
    flags = (f"--backend-directory={backends}", "--disable-auto-complete-config")
    return Runtime(wheel / "bin" / "tritonserver", flags, environment, from_wheel=True, caches=wheel / "caches")


def repository_for(runtime: Runtime, repository: Path, scratch: Path, models: Sequence[str] | None = None) -> Path:
    """The path of ``repository`` to give to ``runtime``: its own, or links in ``scratch`` to it or to some ``models``.

    The wheel's Python backend writes the path of a model on a shell's command line without quoting it, so a space in
    it crashes Triton, and a ``;`` in it would run a command.

    Raises:
        ModelRepositoryError: the name of a model has such a character.
    """
    repository = repository.absolute()
    if runtime.from_wheel:
        for model in repository.iterdir() if models is None else (repository / name for name in models):
            if model.is_dir() and not is_shell_safe(Path(model.name)):
                raise ModelRepositoryError(f"{model}: name the model with letters, digits, '_', '-' and '.' only")
    link = scratch / "models"
    if models is not None:
        link.mkdir()
        for name in models:
            (link / name).symlink_to(repository / name, target_is_directory=True)
        return link
    if not runtime.from_wheel or is_shell_safe(repository):
        return repository
    link.symlink_to(repository, target_is_directory=True)
    return link


def is_shell_safe(path: Path) -> bool:
    """Whether ``path`` means the same on a shell's command line with and without quotes."""
    return re.fullmatch(r"[A-Za-z0-9_@%+=:,./-]+", str(path)) is not None


def _private(environment: dict[str, str]) -> dict[str, str]:
    # Since 1.29, ONNX Runtime reports to Microsoft what it runs, and keeps a device id and a database in ~/.cache,
    # unless this is set before it starts. A server that hears people speak must not.
    return {"ORT_DISABLE_TELEMETRY": "1"} | environment


def _wheel_folder() -> Path:
    # find_spec and not import: importing pytriton starts loggers, changes signal handling and takes a second.
    spec = importlib.util.find_spec("pytriton")
    for location in (spec.submodule_search_locations or []) if spec else []:
        folder = Path(location) / "tritonserver"
        if (folder / "bin" / "tritonserver").is_file():
            return folder
    raise TritonMissingError(
        "no Triton here: install it with `pip install 'voicestress[local]'` (Linux, x86-64), "
        "or run NVIDIA's container on the same model repository"
    )


def _stub(wheel: Path) -> Path:
    stub = wheel / "python_backend_stubs" / _PYTHON / _STUB
    if not stub.is_file():
        known = sorted((path.name for path in (wheel / "python_backend_stubs").iterdir()), key=_version)
        raise TritonMissingError(
            f"nvidia-pytriton can't serve models from Python {_PYTHON}, only from {', '.join(known)}: "
            "make the environment with one of those"
        )
    return stub


def _version(name: str) -> tuple[int, ...]:
    return tuple(int(part) for part in name.split("."))


def _wheel_environment(wheel: Path) -> dict[str, str]:
    """This process' environment, such that the stub loads this interpreter's library and finds its packages."""
    environment = dict(os.environ)
    libraries = [*_libpython_folder(), wheel.parent.parent / "nvidia_pytriton.libs"]
    inherited = environment.get("LD_LIBRARY_PATH")
    environment["LD_LIBRARY_PATH"] = os.pathsep.join([*map(str, libraries), *([inherited] if inherited else [])])
    # The interpreter embedded in the stub finds its home, and with it a virtual environment, through the first
    # `python3` on the PATH.
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment.get("PATH", os.defpath)])
    if sys.prefix != sys.base_prefix:
        environment["VIRTUAL_ENV"] = sys.prefix
    return environment


def _libpython_folder() -> list[Path]:
    """The folder of this interpreter's shared library, in a list; an empty one leaves the search to the loader."""
    candidates = [sysconfig.get_config_var("LIBDIR"), str(Path(sys.base_prefix) / "lib")]
    return [Path(path) for path in candidates if path and (Path(path) / f"libpython{_PYTHON}.so.1.0").exists()][:1]


def check_stub_starts(stub: Path, environment: dict[str, str]) -> None:
    """Run the stub with no arguments: it answers 1 when its libraries load (Triton asks it the same way)."""
    try:
        outcome = subprocess.run([stub], env=environment, capture_output=True, text=True, check=False, timeout=60)
    except PermissionError:
        raise TritonMissingError(
            f"{stub.parent}: nothing may be executed there (mounted noexec?): set TMPDIR to a folder where it may"
        ) from None
    if outcome.returncode == 1:
        return
    if "libpython" in outcome.stderr:
        raise TritonMissingError(
            f"Triton runs models in Python {_PYTHON} and needs its shared library, libpython{_PYTHON}.so.1.0: "
            f"install it (Debian, Ubuntu: `apt-get install libpython{_PYTHON}`; pyenv: build with --enable-shared)"
        )
    raise TritonMissingError(
        f"Triton's Python stub does not start here: {outcome.stderr.strip() or outcome.returncode}"
    )
