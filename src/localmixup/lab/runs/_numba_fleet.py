"""Training of one small fully connected network in machine code: see `localmixup.lab.runs.fleet`, which says what it does.

All widths are padded: hidden layers to a multiple of 8, inputs, classes and counted samples to a multiple of 4. Padded
weights start at zero, get no gradient and stay zero.
"""

from __future__ import annotations

import numpy as np
from numba import njit

VANILLA, COMPLETE, THRESHOLD, EXPONENTIAL = range(4)
MEAN, WEIGHTED_MEAN, SUM = range(3)

_FAST = {"fastmath": True, "nogil": True, "error_model": "numpy", "cache": True}


@njit(**_FAST)
def permutations(raw, size, count):  # type: ignore[no-untyped-def]
    """`count` permutations behind one another, each as torch.randperm makes it from 32-bit draws."""
    out = np.empty(size * count, np.int32)
    at = 0
    for k in range(count):
        part = out[k * size : (k + 1) * size]
        _permute(part, raw, at)
        at += size - 1
    return out


@njit(**_FAST)
def _permute(part, raw, at):  # type: ignore[no-untyped-def]
    size = part.shape[0]
    for i in range(size):
        part[i] = i
    for i in range(size - 1):
        z = i + np.int64(raw[at + i] % np.uint64(size - i))
        part[i], part[z] = part[z], part[i]


@njit(**_FAST)
def _add_product(A, B, C, n, k, m):  # type: ignore[no-untyped-def]
    """C += A B, tiles of 4 x 4 held in registers."""
    for i in range(0, n, 4):
        c0, c1, c2, c3 = C[i], C[i + 1], C[i + 2], C[i + 3]
        for p in range(0, k, 4):
            b0, b1, b2, b3 = B[p], B[p + 1], B[p + 2], B[p + 3]
            a00, a01, a02, a03 = A[i, p], A[i, p + 1], A[i, p + 2], A[i, p + 3]
            a10, a11, a12, a13 = A[i + 1, p], A[i + 1, p + 1], A[i + 1, p + 2], A[i + 1, p + 3]
            a20, a21, a22, a23 = A[i + 2, p], A[i + 2, p + 1], A[i + 2, p + 2], A[i + 2, p + 3]
            a30, a31, a32, a33 = A[i + 3, p], A[i + 3, p + 1], A[i + 3, p + 2], A[i + 3, p + 3]
            for j in range(m):
                w0, w1, w2, w3 = b0[j], b1[j], b2[j], b3[j]
                c0[j] += a00 * w0 + a01 * w1 + a02 * w2 + a03 * w3
                c1[j] += a10 * w0 + a11 * w1 + a12 * w2 + a13 * w3
                c2[j] += a20 * w0 + a21 * w1 + a22 * w2 + a23 * w3
                c3[j] += a30 * w0 + a31 * w1 + a32 * w2 + a33 * w3


@njit(**_FAST)
def _add_product_of_transposed(A, B, C, n, k, m):  # type: ignore[no-untyped-def]
    """C += A^T B with A of shape (n, k) and B of shape (n, m)."""
    for p in range(0, k, 4):
        c0, c1, c2, c3 = C[p], C[p + 1], C[p + 2], C[p + 3]
        for i in range(0, n, 4):
            b0, b1, b2, b3 = B[i], B[i + 1], B[i + 2], B[i + 3]
            a00, a01, a02, a03 = A[i, p], A[i + 1, p], A[i + 2, p], A[i + 3, p]
            a10, a11, a12, a13 = A[i, p + 1], A[i + 1, p + 1], A[i + 2, p + 1], A[i + 3, p + 1]
            a20, a21, a22, a23 = A[i, p + 2], A[i + 1, p + 2], A[i + 2, p + 2], A[i + 3, p + 2]
            a30, a31, a32, a33 = A[i, p + 3], A[i + 1, p + 3], A[i + 2, p + 3], A[i + 3, p + 3]
            for j in range(m):
                w0, w1, w2, w3 = b0[j], b1[j], b2[j], b3[j]
                c0[j] += a00 * w0 + a01 * w1 + a02 * w2 + a03 * w3
                c1[j] += a10 * w0 + a11 * w1 + a12 * w2 + a13 * w3
                c2[j] += a20 * w0 + a21 * w1 + a22 * w2 + a23 * w3
                c3[j] += a30 * w0 + a31 * w1 + a32 * w2 + a33 * w3


@njit(**_FAST)
def _transpose(W, T, size):  # type: ignore[no-untyped-def]
    for i in range(0, size, 8):
        for j in range(0, size, 8):
            for a in range(8):
                for b in range(8):
                    T[j + b, i + a] = W[i + a, j + b]


@njit(**_FAST)
def _adam(p, g, m, v, rate, correction, shrink, decay):  # type: ignore[no-untyped-def]
    one, b1, b2, eps = np.float32(1), np.float32(0.1), np.float32(0.001), np.float32(1e-8)
    for i in range(p.shape[0]):
        x = g[i] + decay * p[i]
        a = m[i] + (x - m[i]) * b1
        b = v[i] * (one - b2) + b2 * x * x
        m[i] = a
        v[i] = b
        p[i] = p[i] * shrink - rate * a / (np.sqrt(b) * correction + eps)
        g[i] = 0


@njit(**_FAST)
def _draw_batch(  # type: ignore[no-untyped-def]
    x, y, rows, raw, at, kind, parameter, prob, scalar_weights, plan, inputs, own, other, lams, weights, shares
):
    """Mix a batch and leave out what does not count; returns how many count, and the sum of their weights."""
    size, d = rows.shape[0], x.shape[1]
    lam = np.float32(1)
    unit = np.float32(2.0**-24)
    if kind != VANILLA:
        _permute(plan, raw, at)
        lam = np.float32(raw[at + size - 1] & np.uint64(0xFFFFFF)) * unit
    kept = 0
    total = squares = moved_total = np.float64(0)
    for i in range(size):
        a = rows[i]
        b, share, weight = a, np.float32(1), np.float32(1)
        if kind != VANILLA:
            if prob >= 1 or np.float32(raw[at + size + i] & np.uint64(0xFFFFFF)) * unit < np.float32(prob):
                b = rows[plan[i]]
                share = lam
            squared = np.float32(0)
            for k in range(d):
                squared += (x[a, k] - x[b, k]) * (x[a, k] - x[b, k])
            distance = np.sqrt(squared)
            if kind == THRESHOLD:
                weight = np.float32(1) if distance <= np.float32(parameter) or a == b else np.float32(0)
            elif kind == EXPONENTIAL and a != b:
                weight = np.exp(-np.float32(parameter) * distance)
            if squared > 0 and share < 1:
                moved_total += weight
        total += weight
        squares += weight * weight
        if weight > 0 or scalar_weights:
            for k in range(d):
                inputs[kept, k] = x[a, k] - (np.float32(1) - share) * (x[a, k] - x[b, k])
            own[kept], other[kept], lams[kept], weights[kept] = y[a], y[b], share, weight
            kept += 1
    shares[0], shares[1] = total / size, moved_total / size
    shares[2] = total * total / (size * squares) if squares > 0 else 0.0
    return kept, total


@njit(**_FAST)
def train_steps(  # type: ignore[no-untyped-def]
    x, y, P, G, M, V, hidden, layers, classes, rows, raw, start, stop, rates, weight_decay, decoupled,
    kind, parameter, prob, reduction, loss_scale, scalar_weights, softmax, losses, shares,
):  # fmt: skip
    """The updates from `start` to `stop` of one network, in place; its loss and shares at each of them."""
    size = rows.shape[1]
    d, c = x.shape[1], (classes + 3) // 4 * 4
    padded = (size + 3) // 4 * 4
    plan = np.empty(size, np.int32)
    inputs = np.zeros((padded, d), np.float32)
    own, other = np.zeros(padded, np.int64), np.zeros(padded, np.int64)
    lams, weights = np.zeros(padded, np.float32), np.zeros(padded, np.float32)
    acts = np.zeros((layers, padded, hidden), np.float32)
    back = np.zeros((2, padded, hidden), np.float32)
    scores = np.zeros((padded, c), np.float32)
    T = np.empty((hidden, hidden), np.float32)
    end = d * hidden + hidden + (layers - 1) * (hidden * hidden + hidden)
    head, g_head = P[end : end + c * hidden].reshape((c, hidden)), G[end : end + c * hidden].reshape((c, hidden))
    head_bias, g_head_bias = P[end + c * hidden :], G[end + c * hidden :]
    per_update = 0 if kind == VANILLA else (size + size if prob < 1 else size)
    q = np.empty(c, np.float32)
    for step in range(start, stop):
        kept, total = _draw_batch(
            x, y, rows[step], raw, step * per_update, kind, parameter, prob, scalar_weights, plan, inputs, own, other,
            lams, weights, shares[step],
        )  # fmt: skip
        n = (kept + 3) // 4 * 4
        for i in range(kept, n):
            weights[i] = 0
            for k in range(d):
                inputs[i, k] = 0
        if scalar_weights:
            for i in range(kept):
                weights[i] = total / size
        divisor = float(size) if reduction == MEAN else (max(total, 1e-38) if reduction == WEIGHTED_MEAN else 1.0)
        factor = np.float32(loss_scale / divisor)

        at = 0
        for layer in range(layers):
            fan_in = d if layer == 0 else hidden
            W = P[at : at + fan_in * hidden].reshape((fan_in, hidden))
            bias = P[at + fan_in * hidden : at + fan_in * hidden + hidden]
            out = acts[layer]
            for i in range(n):
                for j in range(hidden):
                    out[i, j] = bias[j]
            _add_product(inputs if layer == 0 else acts[layer - 1], W, out, n, fan_in, hidden)
            for i in range(n):
                for j in range(hidden):
                    out[i, j] = max(out[i, j], np.float32(0))
            at += fan_in * hidden + hidden

        loss = 0.0
        last = acts[layers - 1]
        for i in range(n):
            for k in range(classes):
                score = head_bias[k]
                for j in range(hidden):
                    score += last[i, j] * head[k, j]
                scores[i, k] = score
            top = scores[i, 0]
            for k in range(1, classes):
                top = max(top, scores[i, k])
            mass = np.float32(0)
            for k in range(classes):
                q[k] = np.exp(scores[i, k] - top)
                mass += q[k]
            w = weights[i] * factor
            lam = lams[i]
            if softmax:
                # the network ends with a softmax, and cross entropy takes another one of that
                second = np.float32(0)
                for k in range(classes):
                    q[k] /= mass
                    second += np.exp(q[k])
                loss -= w * (lam * (q[own[i]]) + (1 - lam) * q[other[i]] - np.log(second))
                inner = np.float32(0)
                for k in range(classes):
                    g = np.exp(q[k]) / second - (lam if k == own[i] else np.float32(0))
                    g -= (1 - lam) if k == other[i] else np.float32(0)
                    scores[i, k] = w * g
                    inner += w * g * q[k]
                for k in range(classes):
                    scores[i, k] = q[k] * (scores[i, k] - inner)
            else:
                score = lam * scores[i, own[i]] + (1 - lam) * scores[i, other[i]]
                loss += w * (top + np.log(mass) - score)
                for k in range(classes):
                    g = q[k] / mass - (lam if k == own[i] else np.float32(0))
                    scores[i, k] = w * (g - ((1 - lam) if k == other[i] else np.float32(0)))
        losses[step] = loss

        for i in range(n):
            for k in range(classes):
                g_head_bias[k] += scores[i, k]
        _add_product_of_transposed(scores, last, g_head, n, c, hidden)
        grad, spare = back[0], back[1]
        grad[:n] = 0
        _add_product(scores, head, grad, n, c, hidden)
        at = end
        for layer in range(layers - 1, -1, -1):
            fan_in = d if layer == 0 else hidden
            at -= fan_in * hidden + hidden
            out = acts[layer]
            g_bias = G[at + fan_in * hidden : at + fan_in * hidden + hidden]
            for i in range(n):
                for j in range(hidden):
                    grad[i, j] = grad[i, j] if out[i, j] > 0 else np.float32(0)
                for j in range(hidden):
                    g_bias[j] += grad[i, j]
            g_W = G[at : at + fan_in * hidden].reshape((fan_in, hidden))
            _add_product_of_transposed(inputs if layer == 0 else acts[layer - 1], grad, g_W, n, fan_in, hidden)
            if layer:
                _transpose(P[at : at + hidden * hidden].reshape((hidden, hidden)), T, hidden)
                spare[:n] = 0
                _add_product(grad, T, spare, n, hidden, hidden)
                grad, spare = spare, grad

        rate = rates[step]
        first, second_moment = 1 - 0.9 ** (step + 1), 1 - 0.999 ** (step + 1)
        shrink = np.float32(1 - rate * weight_decay) if decoupled else np.float32(1)
        decay = np.float32(0) if decoupled else np.float32(weight_decay)
        _adam(P, G, M, V, np.float32(rate / first), np.float32(1 / np.sqrt(second_moment)), shrink, decay)
