"""A page of ours as tests read it: its elements, its scripts, the figures in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any


class Page(HTMLParser):
    """What a browser would see: elements with attributes, and the text of scripts, styles and everything else."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open.append(tag)
        if tag == "script":
            self.scripts.append((dict(attrs), ""))

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "script":
            self.scripts[-1] = self.scripts[-1][0], self.scripts[-1][1] + data
        else:
            self.text += data

    def all(self, tag: str) -> Iterator[dict[str, str | None]]:
        """The attributes of the elements of a kind."""
        return (attributes for found, attributes in self.elements if found == tag)

    def plots(self) -> dict[str, Any]:
        """The figures by name."""
        named = ((str(a.get("id")), text) for a, text in self.scripts if a.get("type") == "application/json")
        return {name.removesuffix("-data"): json.loads(text) for name, text in named}

    @property
    def policy(self) -> str:
        """The page's Content-Security-Policy."""
        return next(str(a["content"]) for a in self.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
