"""A pipeline's own folder of generations, and the place where services find theirs."""

from pathlib import Path

from services.codestore.generation_files import GenerationFiles


def bring(generation_id: str, home: Path) -> None:
    """Have a generation that another pipeline made in this one's folder, if it is where services find it; else nothing happens.

    Raises:
        StoreUnavailableError: that place does not answer.
        TaxohashError: it is damaged there, or the folder cannot be written.
    """
    if files := GenerationFiles.named():
        files.bring(generation_id, home)
