"""`localmixup.lab.compare` and `localmixup.lab.inspect`: the commands as functions, for notebooks and scripts."""
