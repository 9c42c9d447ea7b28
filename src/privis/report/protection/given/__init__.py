"""What a report is made of: checked files, ledgers, figures of attacks, and what the user declares."""
