"""What one call of an entry point gets: the step block with its scalars, a slot of data for each bound layer."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from nnlang.runtime.collective import ALONE, Ranks


@dataclass
class Slot:
    """The rows of a batch for one bound layer of `units` units.

    Sparse, by example: index [entries] units, ascending in each row; row [entries] batch rows; example [entries] global
    example numbers; values [entries] or None for 1; bags [rows * leaves + 1] where each leaf of each row starts.
    The same entries by unit: columns [units + 1] starts; rows [entries] batch rows; flat [entries] unit * m + row;
    order [entries] where each stands in `index`. Dense: dense [rows, units]. Always: weight [rows] or None; and share
    [rows], 1 / stored entries of each row (0 for an empty one). Of a layer that is split over ranks these are the units
    from `first` on, numbered from 0, and share counts the entries of whole rows.
    """

    units: int
    m: int
    index: Tensor
    row: Tensor
    example: Tensor
    values: Tensor | None
    bags: Tensor
    columns: Tensor
    rows: Tensor
    flat: Tensor
    order: Tensor
    dense: Tensor | None = None
    weight: Tensor | None = None
    share: Tensor | None = None
    first: int = 0

    def feature(self) -> Tensor:
        """The numbers in their layer of the entries' units, by example."""
        return self.index + self.first if self.first else self.index

    def span(self, first: int, last: int) -> tuple[int, int]:
        """Where the entries of units first..last-1 stand, by unit."""
        return int(self.columns[first]), int(self.columns[last])

    def stored(self, tile: Tensor, first: int, last: int) -> tuple[Tensor, Tensor, Tensor]:
        """The values of a tile [units first..last-1, m] at stored entries, their rows, and where they stand in it."""
        start, end = self.span(first, last)
        where = self.flat[start:end] - first * self.m
        return torch.index_select(tile.view(-1), 0, where), self.rows[start:end], where

    def stored_values(self, first: int, last: int) -> Tensor:
        """The entries' own values of units first..last-1, by unit."""
        start, end = self.span(first, last)
        order = self.order[start:end]
        return torch.ones(len(order)) if self.values is None else self.values[order]

    def by_unit(self) -> Tensor:
        """Every entry's value, by unit."""
        return self.stored_values(0, self.units)


@dataclass
class Block:
    """The step block: rows, examples, the place in the run, scalars by name; memory for buffers and tiles."""

    rows: int
    ids: Tensor  # [rows] global example numbers
    scalars: dict[str, float]
    seed: int = 0
    epoch: int = 0
    step: int = 0
    arena: list[Tensor] = field(default_factory=list)
    tiles: dict[int, Tensor] = field(default_factory=dict)
    dtype: torch.dtype = torch.float32
    ranks: Ranks = ALONE  # that share the units of split layers
    replicas: Ranks = ALONE  # that share the rows of a batch

    def buffer(self, slot: int, *shape: int) -> Tensor:
        """A view of an arena slot."""
        count = 1
        for size in shape:
            count *= size
        return self.arena[slot][:count].view(shape)

    def tile(self, number: int, *shape: int) -> Tensor:
        """A view of a scratch tile, grown to what was ever asked for."""
        count = 1
        for size in shape:
            count *= size
        if number not in self.tiles or self.tiles[number].numel() < count:
            self.tiles[number] = torch.empty(count, dtype=self.dtype)
        return self.tiles[number][:count].view(shape)
