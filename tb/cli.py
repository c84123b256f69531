"""`fdwire`: the project's one command."""

import sys

from tb import compiled


def main() -> int:
    """Run one command; its exit status."""
    compiled.use(sys.argv[1:])
    from tb import commands  # not before: it imports what may be compiled

    return commands.main()


if __name__ == "__main__":
    sys.exit(main())
