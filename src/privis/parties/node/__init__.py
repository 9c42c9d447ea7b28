"""The process of one party: configuration, sessions, results; and the one that submits."""
