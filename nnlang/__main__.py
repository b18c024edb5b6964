"""`python -m nnlang`: the command line, without the script on the path."""

from nnlang.cli import main

if __name__ == "__main__":
    main()
