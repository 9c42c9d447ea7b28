"""Lower bounds of epsilon: what an auditor who may run a mechanism, or one training, proves against its claim."""
