"""Local Mixup in other frameworks: one file a framework, imported only on use, none of which knows another."""
