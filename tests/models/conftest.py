import json

import pytest


@pytest.fixture
def config_folder(tmp_path):
    """Writes a `config.json`, as `save_pretrained` does, and returns its folder."""

    def write(config, name="network"):
        folder = tmp_path / name
        if hasattr(config, "save_pretrained"):
            config.save_pretrained(folder)
        else:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
        return folder

    return write
