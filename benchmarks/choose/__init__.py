"""Whether ``privis choose`` recommends what runs, and predicts what it takes."""
