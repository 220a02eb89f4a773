"""Is this folder a model repository? Answered before Triton starts, with the way out Triton's own messages lack."""

from __future__ import annotations

from pathlib import Path

from voicestress_triton.errors import ModelRepositoryError


def model_names(repository: Path, config_name: str | None = None) -> list[str]:
    """Names of the models in ``repository``, sorted: the folders with a configuration or a numbered version.

    Raises:
        ModelRepositoryError: the folder is missing, is not a repository, holds no model, holds a hidden folder, or none
            of its models has the configuration ``configs/<config_name>.pbtxt`` (Triton would silently take the default
            one).
    """
    if not repository.is_dir():
        raise ModelRepositoryError(
            f"{repository}: no such folder. Give the folder that holds the models, or export one with "
            "`voicestress export`."
        )
    if (repository / "config.pbtxt").is_file():
        raise ModelRepositoryError(
            f"{repository}: this is one model, not a repository of models. Give its parent folder: {repository.parent}"
        )
    models = sorted(folder.name for folder in repository.iterdir() if _is_model(folder))
    if not models:
        raise ModelRepositoryError(
            f"{repository}: no model in it. A model is a folder with a config.pbtxt and a numbered version folder, "
            "as `voicestress export` writes."
        )
    # Triton loads a hidden folder like any other, and does not start when it can't.
    for folder in sorted(repository.iterdir()):
        if folder.is_dir() and folder.name.startswith("."):
            raise ModelRepositoryError(
                f"{folder}: a hidden folder in a model repository, which Triton takes for a model. Remove it, or move "
                "it out of the repository."
            )
    if config_name is not None and not any(_config(repository / model, config_name).is_file() for model in models):
        known = sorted({path.stem for model in models for path in (repository / model).glob("configs/*.pbtxt")})
        raise ModelRepositoryError(
            f"{repository}: no model has a configuration named '{config_name}' (configs/{config_name}.pbtxt); "
            f"there is {', '.join(known) if known else 'none but the default'}."
        )
    return models


def _is_model(folder: Path) -> bool:
    if not folder.is_dir() or folder.name.startswith("."):
        return False
    return (folder / "config.pbtxt").is_file() or any(
        child.is_dir() and child.name.isdigit() for child in folder.iterdir()
    )


def _config(model: Path, config_name: str) -> Path:
    return model / "configs" / f"{config_name}.pbtxt"
