"""A built Bento with the generation that it packs, in one folder, as an image takes it:
`python -m services.retrieval.bento.whole TAG FOLDER [--bento-home DIR]`.

BentoML keeps models beside Bentos; in an image they lie in the Bento. The last line printed is the Bento's version.
"""

import shutil
import sys
from pathlib import Path

from services.retrieval.server import bentos
from taxohash.errors import TaxohashError
from taxohash.runtime.atomic import new_folder
from taxohash.runtime.flags import Parser
from taxohash.runtime.terminal import printable


def main(arguments: list[str] | None = None) -> int:
    parser = Parser(prog="python -m services.retrieval.bento.whole", description=__doc__)
    parser.add_argument("tag", help="of the Bento: name:version or name:latest")
    parser.add_argument("folder", type=Path, help="which is made, and must not be there")
    parser.add_argument("--bento-home", type=Path, help="where Bentos and models are kept (BENTOML_HOME)")
    chosen = parser.parse_args(arguments)
    try:
        print(whole(chosen.tag, chosen.bento_home or bentos.home(), chosen.folder))
    except TaxohashError as error:
        print(f"whole: {printable(error)}", file=sys.stderr)
        return 2
    return 0


def whole(tag: str, bento_home: Path, folder: Path) -> str:
    """Copy a Bento and its generation into a new folder, which is then served as it lies; the Bento's version.

    Raises:
        TaxohashError: there is no such Bento, it is damaged, or the folder cannot be written.
    """
    bento = bentos.folder_of(tag, bento_home)
    packed = bentos.packed(bento, bento_home)
    with new_folder(folder) as draft:
        shutil.copytree(bento, draft, dirs_exist_ok=True)
        shutil.copytree(packed, draft / "models" / packed.parent.name / packed.name, dirs_exist_ok=True)
    return bento.name


if __name__ == "__main__":
    sys.exit(main())
