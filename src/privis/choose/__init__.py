"""Which feature, protection and release a job can use: predictions, measured accuracy and a recommendation."""
