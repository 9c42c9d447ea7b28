"""What a job takes before it runs: seconds, memory, bytes, rounds and energy; and how good predictions were."""
