"""What a server offers: programs, galleries, their terms and estimates."""
