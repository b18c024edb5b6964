"""The version of nnlang: packaging, `nnlang --version` and model files read it here."""

__version__ = "0.1.0"
