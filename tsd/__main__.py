"""``python -m tsd``."""

from tsd.cli.main import main

main()
