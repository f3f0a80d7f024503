"""The label tree, and how much alike its labels are."""

from taxohash.taxonomy.tree import Labels, Taxonomy

__all__ = ["Labels", "Taxonomy"]
