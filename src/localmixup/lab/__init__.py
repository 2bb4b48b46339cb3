"""The lab: data, models and methods, run with seeds, stored, compared and reported. Needs `localmixup[lab]`."""
