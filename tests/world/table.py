"""A table for people: columns as wide as they must be, colour for what is wrong on a terminal only."""
import sys


class Table:
    def __init__(self, *heads):
        self.rows = [heads]

    def add(self, *cells):
        self.rows.append(cells)

    def text(self, colour=None):
        colour = sys.stdout.isatty() if colour is None else colour
        widths = [max(len(row[i]) for row in self.rows) for i in range(len(self.rows[0]))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in self.rows]
        lines.insert(1, "  ".join("-" * width for width in widths))
        if colour:
            lines = ["\033[31m%s\033[0m" % line if " NO" in line[-30:] else line for line in lines]
        return "\n".join(lines)
