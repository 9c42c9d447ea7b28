"""Executors: each turns a program into something that runs, and knows no feature."""
