"""`python -m localmixup` is the command `localmixup`."""

from localmixup.lab.cli.main import main

if __name__ == "__main__":
    main()
