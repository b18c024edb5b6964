"""The colours of a drawing, one row a role: line and fill by day, line and fill by night."""

from __future__ import annotations

from types import MappingProxyType

ROLES = MappingProxyType(
    {
        "input": ("#2f6fb0", "#eef5fc", "#6cb0f5", "#14263a"),
        "hidden": ("#5f6672", "#f6f7f9", "#8b94a3", "#22262d"),
        "pooling": ("#8a5fb0", "#f6f1fb", "#b993e0", "#2a2035"),
        "output": ("#2e7d4f", "#eef8f1", "#6cc794", "#152c20"),
        "target": ("#9a6a1f", "#fcf6ea", "#dcae62", "#32270f"),
    }
)
INK, SOFT, LINE, SKIP = ("#1c2127", "#e8ebef"), ("#59616d", "#a3adba"), ("#7b8491", "#8d97a5"), ("#b3612a", "#e39a5f")
SHARED, PAPER = ("#7a4fa3", "#c2a2e6"), ("#ffffff", "#15181d")
