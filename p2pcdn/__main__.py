"""``python -m p2pcdn`` is the command line."""

from p2pcdn.cli import main

main()
