"""The command of reports."""
