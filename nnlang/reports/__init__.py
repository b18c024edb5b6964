"""Reports: a sweep, or the training of one or several models, as one HTML file that needs no network.

`nnlang.reports.sweep.write` and `nnlang.reports.training.write` make the files; the other modules make their parts.
"""
