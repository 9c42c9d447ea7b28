"""Commands that count people in videos, exactly or with noise."""
