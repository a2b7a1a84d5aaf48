from os import PathLike

from headrace.doctor import FileReport

def diagnose(path: str | PathLike[str], repair: bool = False) -> FileReport:
    """Look at all that a file holds."""
