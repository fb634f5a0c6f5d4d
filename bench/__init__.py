"""Benches and the sample feed: programs that know Winnow only from outside, and in-process timings."""
