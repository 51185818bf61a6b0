"""Measurements that print tables and write benchmarks/results/latest.json; each names its anchor of the same run."""
