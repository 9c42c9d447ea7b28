"""Benchmarks of behaviour: what is unusual, what people do in clips, rules on tracks."""
