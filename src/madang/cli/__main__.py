"""`python -m madang.cli`."""

from madang.cli.command import main

main()
