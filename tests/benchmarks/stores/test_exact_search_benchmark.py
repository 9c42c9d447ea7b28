"""The benchmark of exact search runs on a few vectors, so that it cannot rot."""

from benchmarks.stores import exact_search


def test_a_few_vectors():
    index, queries = exact_search.vectors(500, 16), exact_search.vectors(5, 16, seed=1)
    seconds, equal = exact_search.measure(exact_search.peers(index), queries)
    assert equal == 5 and {len(values) for values in seconds.values()} == {5}


def test_a_file_of_vectors():
    memory, seconds = exact_search.resident(2000, 8)
    assert memory > 0 and seconds > 0
