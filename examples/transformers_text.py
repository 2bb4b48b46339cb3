"""Local Mixup in Hugging Face's `Trainer`, on texts: `python examples/transformers_text.py`.

The texts are synthetic: words of two topics among words of neither. It takes a few seconds and needs
`pip install -e '.[transformers]'`. Nothing is downloaded.

It shows how to connect the two, not that mixing helps: over six seeds 4 % of the test texts are wrong without mixup,
11 % with mixup and 15 % with Local Mixup. The topic of a text is that of two of its words, and a mixture has the words
of two texts; texts that are near share words of neither topic as well. On other texts it may be otherwise: measure it.
"""

import random
import tempfile

from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast, TrainingArguments, set_seed

from localmixup import AdaptiveExponentialGraph, CompleteGraph, LocalMixup
from localmixup.integrations.transformers import LocalMixupTrainer

SEA, HILLS = ["boat", "wave", "sail", "port", "reef", "tide"], ["peak", "snow", "rope", "rock", "pass", "ridge"]
OTHERS = ["the", "a", "we", "it", "was", "and", "then", "over", "under", "near", "with", "for", "from", "old", "new"]
WORDS = ["[PAD]", "[UNK]", *SEA, *HILLS, *OTHERS]
CONFIG = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}


def text(label: int) -> str:
    topic, other = (SEA, HILLS) if label else (HILLS, SEA)
    words = random.choices(topic, k=2) + random.choices(other, k=1) + random.choices(OTHERS, k=random.randint(2, 12))
    return " ".join(random.sample(words, len(words)))


def main(epochs: int = 6) -> dict[str, float]:
    words = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="[PAD]", unk_token="[UNK]")
    random.seed(0)
    rows = [{**tokenizer(text(i % 2)), "labels": i % 2} for i in range(600)]
    errors = {}
    # training changes the scale of the embeddings, and this graph follows it
    for name, graph in {"mixup": CompleteGraph(), "local mixup": AdaptiveExponentialGraph()}.items():
        set_seed(0)
        model = BertForSequenceClassification(BertConfig(**CONFIG, vocab_size=len(WORDS), num_labels=2))
        with tempfile.TemporaryDirectory() as folder:
            args = TrainingArguments(
                output_dir=folder,
                num_train_epochs=epochs,
                per_device_train_batch_size=16,
                learning_rate=3e-3,
                save_strategy="no",
                logging_strategy="no",
                disable_tqdm=True,
                report_to="none",
            )
            trainer = LocalMixupTrainer(
                recipe=LocalMixup(graph),
                model=model,
                args=args,
                train_dataset=rows[:400],
                processing_class=tokenizer,
                compute_metrics=lambda p: {"error": float((p.predictions.argmax(-1) != p.label_ids).mean()) * 100},
            )
            trainer.train()
            errors[name] = trainer.evaluate(rows[400:])["eval_error"]
        print(f"{name}: test error {errors[name]:.1f} %")
    return errors


if __name__ == "__main__":
    main()
