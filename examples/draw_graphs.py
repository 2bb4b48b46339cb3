"""How much a pair counts in each graph: weights against the distance.

The parameters are fitted to the data, so that each graph keeps as much as the others.
"""

import torch
from matplotlib.figure import Figure
from sklearn.datasets import load_digits

from localmixup import ExponentialGraph, KNNGraph, NearestOfGraph, ThresholdGraph


def main() -> Figure:
    x = torch.tensor(load_digits().data[:400], dtype=torch.float32) / 16
    distances = torch.cdist(x, x)[0]
    order = distances.argsort()[1:]
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    graphs = {
        "threshold graph, nearest 20 % of the pairs": ThresholdGraph.fit(x, kept_share=0.2),
        "exponential graph, mean weight 0.2": ExponentialGraph.fit(x, mean_weight=0.2),
        "nearest-neighbour graph, nearest 20 %": KNNGraph(share=0.2),
        "nearest of 5 samples": NearestOfGraph(5),
    }
    for name, graph in graphs.items():
        weights = graph.matrix(x)[0]
        axes.plot(distances[order], weights[order], label=name)
        print(f"{graph}: mean weight {weights[order].mean():.2f}")
    axes.set(xlabel="distance to the first digit", ylabel="weight of the pair", ylim=0)
    axes.legend()
    return figure


if __name__ == "__main__":
    main().savefig("draw_graphs.png", dpi=110)
