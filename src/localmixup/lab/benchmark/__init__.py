"""Does local mixup help? Many data sets, many methods, one protocol fixed beforehand (docs/benchmark.md)."""
