"""A folder of pictures that anybody can make: `python docs/emoji.py PACKAGE OUT`.

PACKAGE is the unpacked npm package emoji-datasource-google: 3,786 pictures of 64 px. In OUT they lie in the folders of
their categories and subcategories, such as `Animals & Nature/animal-bird`.
"""

import json
import shutil
import sys
from pathlib import Path


def main(package: Path, out: Path) -> None:
    """Copy every picture into the folder of its subcategory."""
    for emoji in json.loads((package / "emoji.json").read_text(encoding="utf-8")):
        for variant in (emoji, *emoji.get("skin_variations", {}).values()):
            picture = package / "img" / "google" / "64" / variant["image"]
            folder = out / emoji["category"] / emoji["subcategory"]
            if picture.is_file():
                folder.mkdir(parents=True, exist_ok=True)
                shutil.copy(picture, folder)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
