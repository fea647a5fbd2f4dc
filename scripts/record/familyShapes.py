"""The weights of a model as transformers saves it: prints {name: shape} for a config.json, in the order of names.

    python scripts/record/familyShapes.py CONFIG.json

The Python is the one that `node scripts/install/installConverter.mjs` prints.
"""

import json
import logging
import sys
import tempfile
from pathlib import Path

from safetensors import safe_open


def main() -> None:
    logging.disable(logging.CRITICAL)
    import transformers

    config_path = Path(sys.argv[1])
    raw = json.loads(config_path.read_text("utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(raw), "utf-8")
        config = transformers.AutoConfig.from_pretrained(folder)
        model = getattr(transformers, raw["architectures"][0])(config)
        model.save_pretrained(Path(folder) / "model")
        shapes = {}
        for file in sorted((Path(folder) / "model").glob("*.safetensors")):
            with safe_open(str(file), "pt") as tensors:
                shapes.update({name: list(tensors.get_slice(name).get_shape()) for name in tensors.keys()})
    print(json.dumps(dict(sorted(shapes.items()))))


main()
