"""Local Mixup in Hugging Face's `Trainer`, on images: `python examples/transformers_trainer.py`.

It takes a few seconds and needs `pip install -e '.[transformers]'`. Nothing is downloaded.
"""

import tempfile

import torch
from sklearn.datasets import load_digits
from transformers import ResNetConfig, ResNetForImageClassification, TrainingArguments, set_seed

from localmixup import CompleteGraph, LocalMixup, ThresholdGraph
from localmixup.integrations.transformers import LocalMixupTrainer

CONFIG = {"embedding_size": 32, "hidden_sizes": [32, 64], "depths": [1, 1], "layer_type": "basic"}


def main(epochs: int = 8) -> dict[str, float]:
    digits = load_digits()
    images = torch.from_numpy(digits.images)[:, None].float() / 16
    rows = [{"pixel_values": x, "labels": int(y)} for x, y in zip(images, digits.target, strict=True)]
    graphs = {"mixup": CompleteGraph(), "local mixup": ThresholdGraph.fit(images[:1000], kept_share=0.3)}
    errors = {}
    for name, graph in graphs.items():
        set_seed(0)
        model = ResNetForImageClassification(ResNetConfig(**CONFIG, num_channels=1, num_labels=10))
        with tempfile.TemporaryDirectory() as folder:
            args = TrainingArguments(
                output_dir=folder,
                num_train_epochs=epochs,
                per_device_train_batch_size=64,
                learning_rate=5e-3,
                save_strategy="no",
                logging_strategy="no",
                disable_tqdm=True,
                report_to="none",
            )
            trainer = LocalMixupTrainer(
                recipe=LocalMixup(graph),
                model=model,
                args=args,
                train_dataset=rows[:1000],
                compute_metrics=lambda p: {"error": float((p.predictions.argmax(-1) != p.label_ids).mean()) * 100},
            )
            trainer.train()
            errors[name] = trainer.evaluate(rows[1000:])["eval_error"]
        print(f"{name}: test error {errors[name]:.1f} %")
    return errors


if __name__ == "__main__":
    main()
