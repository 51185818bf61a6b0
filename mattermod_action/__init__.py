"""Mattermod as a GitHub Action."""

__version__ = "0.1.0"
