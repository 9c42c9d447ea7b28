"""What the command says of its own predictions: a run writes down what it took; a table shows how good they were."""
