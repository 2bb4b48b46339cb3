"""The formulas as slow, obvious loops in float64, against which every fast path is tested."""

import math

import numpy as np


def distance(a, b, metric="euclidean"):
    a, b = np.asarray(a, dtype=np.float64).ravel(), np.asarray(b, dtype=np.float64).ravel()
    if metric == "cosine":
        norms = math.sqrt(float(a @ a)) * math.sqrt(float(b @ b))
        return 1.0 if norms == 0 else max(0.0, 1 - float(a @ b) / norms)
    total = math.sqrt(math.fsum((float(u) - float(v)) ** 2 for u, v in zip(a, b, strict=True)))
    return total / math.sqrt(len(a)) if metric == "rms" else total


def distance_matrix(x, metric="euclidean"):
    n = len(x)
    matrix = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            if i != j:
                matrix[i, j] = distance(x[i], x[j], metric)
    return matrix


def exponential(x, decay, metric="euclidean"):
    matrix = np.exp(-decay * distance_matrix(x, metric))
    np.fill_diagonal(matrix, 1.0)
    return matrix


def threshold(x, radius, metric="euclidean"):
    return (distance_matrix(x, metric) <= radius).astype(float)


def knn(x, n_neighbors, symmetric=False):
    distances, n = distance_matrix(x), len(x)
    weights = np.eye(n)
    for i in range(n):
        others = sorted((distances[i, j], j) for j in range(n) if j != i)
        for _, j in others[:n_neighbors]:
            weights[i, j] = 1.0
            if symmetric:
                weights[j, i] = 1.0
    return weights


def mixed(x, partner, lam):
    x, partner, lam = np.asarray(x, dtype=np.float64), np.asarray(partner), np.asarray(lam, dtype=np.float64)
    return np.stack([lam[i] * x[i] + (1 - lam[i]) * x[partner[i]] for i in range(len(x))])


def cross_entropy(scores, label):
    scores = np.asarray(scores, dtype=np.float64)
    top = scores.max()
    return math.log(math.fsum(math.exp(s - top) for s in scores)) + top - scores[label]


def weighted_loss(losses, weights, reduction="weighted_mean"):
    total = math.fsum(w * loss for w, loss in zip(weights, losses, strict=True))
    if reduction == "sum":
        return total
    if reduction == "mean":
        return total / len(losses)
    return total / math.fsum(weights) if math.fsum(weights) > 0 else 0.0
