"""From a name or a file to one prepared data set."""
