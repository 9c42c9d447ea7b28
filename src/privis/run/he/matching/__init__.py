"""1:N matching on encrypted queries."""
