"""`python -m localmixup` is the command `localmixup`."""

from localmixup.cli import main

if __name__ == "__main__":
    main()
