"""Compare methods on data with seeds, a store, statistics and a report: the command line. Needs the extra `lab`."""
