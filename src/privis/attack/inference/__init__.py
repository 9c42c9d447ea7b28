"""What outputs tell of the pictures behind them: who was trained on, and attributes that nobody asked for."""
