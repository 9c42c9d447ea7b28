"""What a joint job is to its parties: specification, policy, agreement, and what is told to whom."""
