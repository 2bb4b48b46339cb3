"""Load a data set by name or from files, and prepare it for training."""
