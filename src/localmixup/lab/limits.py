"""The largest numbers that options and arguments accept: beyond them there is a slip of the hand, not a wish."""

MOST = {
    "batch_size": 1_000_000,
    "budget": 1e8,
    "epochs": 1e6,
    "jobs": 1024,
    "learning_rate": 1e3,
    "mixup_alpha": 1e6,
    "n_nearest": 100_000,
    "n_samples": 100_000_000,
    "pca": 1_000_000,
    "resamples": 100_000,
    "runs": 100_000,
    "seed": 2**31,
    "train_size": 1_000_000_000,
    "weight_decay": 1e3,
}
"""By the name of the argument; `budget` in seconds."""
