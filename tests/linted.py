"""Definitions that lint has something, or nothing, to say about, and the command line that says it."""

from __future__ import annotations

from pathlib import Path

from nnlang.cli import run_command

GOOD = """{ "Version": 0.8, "Name": "small", "Kind": "FeedForward", "Layers": [
  { "Name": "Input", "Kind": "Input", "N": "auto", "DataSet": "gl_input", "Sparse": true },
  { "Name": "Hidden", "Kind": "Hidden", "Source": "Input", "N": 128, "Activation": "Sigmoid" },
  { "Name": "Output", "Kind": "Output", "Source": "Hidden", "DataSet": "gl_output", "N": "auto", "Sparse": true }
] }
"""
BAD = GOOD.replace('"N": 128', '"N": 128, "Activaton": "Relu"').replace(', "Activation": "Sigmoid"', "")
WARNED = GOOD.replace('"Kind": "FeedForward",', '"Kind": "FeedForward", "Denoising": { "p": 0.2 },').replace(
    '"gl_input", "Sparse": true', '"gl_input"'
)
NOTED = GOOD.replace('"N": 128', '"N": 8')


def put(name: str, text: str = GOOD) -> Path:
    """Write a file, with the folders above it."""
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return path


def lint(*words: str) -> int:
    """The exit code of `nnlang lint`."""
    return run_command(["lint", *words])


def layers(count: int) -> str:
    """A sound definition of so many layers in a row, some 96 bytes each."""
    rows = ['{"Name":"I","Kind":"Input","N":"auto","DataSet":"gl_input","Sparse":true}']
    for i in range(count - 2):
        source = f"H{i - 1:05d}" if i else "I"
        rows.append(
            f'{{"Name":"H{i:05d}","Kind":"Hidden","Source":"{source}","N":128,"Activation":"Relu","pDropout":0.1}}'
        )
    rows.append(f'{{"Name":"O","Kind":"Output","Source":"H{count - 3:05d}","N":"auto","DataSet":"gl_output"}}')
    return '{"Version":0.8,"Name":"big","Kind":"FeedForward","Layers":[\n' + ",\n".join(rows) + "]}"
