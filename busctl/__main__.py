"""`python -m busctl`: the same command line as the `busctl` script.

`python -m` puts the working directory first on sys.path. A tree that is being audited may hold an
`audits/` folder or a `typer.py` of its own: that directory comes off before anything is imported.
A `busctl` in the working directory itself is found by Python before this file is; there, use the
script or `python -P -m busctl`.
"""

import sys


def leave_working_directory(path: list[str], safe_path: bool) -> None:
    """Drop from `path` what stands for the working directory; `safe_path` says -P was given."""
    if path and not safe_path:
        del path[0]
    path[:] = [entry for entry in path if entry]


if __name__ == "__main__":
    leave_working_directory(sys.path, sys.flags.safe_path)

    from busctl.cli.app import main

    main()
