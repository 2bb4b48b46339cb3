"""Local Mixup in other frameworks: one module or package per framework, imported only when it is used."""
